"""Attribution of many predictions as independent jobs, decided before anything is computed."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.activations.executors import Executor, LocalExecutor
from protsae.attribution.choice import Wanted
from protsae.attribution.config import AttributionConfig, RunAttributionConfig
from protsae.core.code import code_hash
from protsae.core.errors import InputError
from protsae.core.files import (
    UNSEALED,
    has_sha256,
    read_sealed_json,
    sha256_file,
    sha256_text,
    write_text_atomic,
)
from protsae.core.plan import Plan
from protsae.core.progress import track
from protsae.sae.checkpoint import SaeCheckpoint

_LOGGER = logging.getLogger(__name__)
INDEX_NAME, TABLES_NAME = "attribution.json", "tables"
_AGAIN = "run `kedro run --pipelines attribution` again"
TABLES = ("residues", "latents", "regions", "summary")
"""Tables of every prediction, as `explain.Attribution` has them."""


@dataclass(frozen=True)
class AttributionJob:
    """One prediction of one protein."""

    wanted: Wanted
    slug: str
    """Names its files and its graph; ends in a hash of all that decides them."""


@dataclass(frozen=True)
class AttributionPlan(Plan):
    """All jobs, and the files that they need."""

    dictionary: Path
    plm: Path
    config: RunAttributionConfig
    jobs: tuple[AttributionJob, ...]
    labels: dict[int, str]
    """Latent to its name, for graphs."""

    def run(self, path: Path, how: Executor | None = None) -> None:
        """Make what is missing in the folder `path`: graphs, and tables in a folder below it.

        What was made of the same proteins, targets, settings, models and code is kept.

        Args:
            path: folder; made if missing.
            how: who does it; None: this process.

        Raises:
            InputError: the dictionary belongs to another language model, or there are no jobs.
        """
        (path / TABLES_NAME).mkdir(parents=True, exist_ok=True)
        (path / INDEX_NAME).unlink(missing_ok=True)
        wanted = {f"{job.slug}.json" for job in self.jobs}
        for old in [*path.glob("*.json"), *(path / TABLES_NAME).glob("*.json")]:
            if old.name not in wanted:
                old.unlink()
        missing = [job for job in self.jobs if _read(path, job.slug) is None]
        if len(missing) < len(self.jobs):
            _LOGGER.info(
                "%d of %d attributions are there: kept", len(self.jobs) - len(missing), len(self.jobs)
            )
        made = (how or LocalExecutor()).run(_Maker(self, path), missing)
        for _ in track(made, "Attribution", total=len(missing)):
            pass
        slugs = [job.slug for job in self.jobs]
        about = {"seal": UNSEALED, "slugs": slugs, "config": self.config.model_dump()}
        write_text_atomic(path / INDEX_NAME, json.dumps(about) + "\n", sealed=True)
        notes = [document["note"] for document in Attributions(path).documents() if document["note"]]
        if notes:
            _LOGGER.warning(
                "%d of %d predictions could not be attributed: %s", len(notes), len(self.jobs), notes[0]
            )


def plan_attribution(
    wanted: Sequence[Wanted],
    dictionary: Path,
    plm: Path,
    config: RunAttributionConfig,
    labels: dict[int, str],
) -> AttributionPlan:
    """Make a job of each prediction.

    Args:
        wanted: predictions.
        dictionary: checkpoint of the autoencoder.
        plm: checkpoint of the language model.
        config: settings.
        labels: latent to its name, for graphs.
    """
    from protsae.plm import load_plm

    model = sha256_file(plm) if plm.is_file() else load_plm(plm).sha256
    settings = config.model_dump(include={*AttributionConfig.model_fields, "n_nodes"})
    names = [str(latent) + name for latent, name in labels.items()]
    shared = (
        code_hash(_Maker),
        version("torch"),
        sha256_file(dictionary),
        model,
        json.dumps(settings),
        *names,
    )
    jobs = {}
    for each in wanted:
        about = (each.protein_id, each.sequence, each.label, each.name, str(each.is_annotated))
        digest = sha256_text(*shared, each.target.model_dump_json(), *about)
        text = re.sub("[^a-z0-9]+", "-", f"{each.protein_id} {each.label}".lower()).strip("-")[:60]
        slug = f"{text}-{digest[:12]}"
        jobs[slug] = AttributionJob(each, slug)
    return AttributionPlan(dictionary, plm, config, tuple(jobs.values()), labels)


class _Maker:
    """Makes one attribution; the models are loaded for the first one."""

    def __init__(self, plan: AttributionPlan, root: Path) -> None:
        self._plan, self._root = plan, root

    def __call__(self, job: AttributionJob) -> str:
        """Write the files of a job; return its name. The tables are written last."""
        from protsae.attribution.explain import attribute
        from protsae.attribution.faithfulness import NothingToExplainError
        from protsae.attribution.graph import attribution_graph, write_graph

        sae, plm, hook_point, about = self._models
        wanted, config = job.wanted, self._plan.config
        document: dict[str, Any] = {
            "seal": UNSEALED,
            "graph_sha256": None,
            **about,
            **wanted._asdict(),
            "target": wanted.target.model_dump(),
            "note": "",
            **dict.fromkeys(("full", "empty")),
            **{name: {} for name in TABLES},
        }
        model = (plm, sae, hook_point)
        try:
            found = attribute(wanted.sequence, *model, wanted.target, config)
        except NothingToExplainError as error:
            document["note"] = f"{wanted.protein_id}, {wanted.label}: {error}"
        else:
            document |= {"full": found.full, "empty": found.empty}
            document |= {name: _columns(getattr(found, name)) for name in TABLES}
            graph = attribution_graph(
                found,
                *model,
                slug=job.slug,
                title=f"{wanted.name} of {wanted.protein_id}",
                labels=self._plan.labels,
                n_nodes=config.n_nodes,
            )
            path = self._root / f"{job.slug}.json"
            write_graph(path, graph)
            document["graph_sha256"] = sha256_file(path)
        text = json.dumps(document) + "\n"
        write_text_atomic(self._root / TABLES_NAME / f"{job.slug}.json", text, sealed=True)
        return job.slug

    @cached_property
    def _models(self) -> tuple[Any, Any, str, dict[str, str]]:
        from protsae.fidelity.splicing import require_same_model
        from protsae.plm import load_plm

        checkpoint, model = SaeCheckpoint(self._plan.dictionary), load_plm(self._plan.plm)
        made_with, hook_point = (
            str(checkpoint.metadata.get(key, "")) for key in ("model_sha256", "hook_point")
        )
        require_same_model(made_with, model, f"the dictionary {checkpoint.path}")
        about = {"dictionary_sha256": sha256_file(checkpoint.path), "hook_point": hook_point}
        return checkpoint.load(), model, hook_point, about


@dataclass(frozen=True)
class Attributions:
    """Light handle on a finished folder."""

    path: Path

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield what is known of each prediction: `protein_id`, `sequence`, `label`, `name`, `is_annotated`,
        `target`, `hook_point`, `dictionary_sha256`, `full`, `empty`, `note`, and `TABLES` as data frames.

        Raises:
            InputError: the folder is damaged.
        """
        index = read_sealed_json(self.path / INDEX_NAME)
        if index is None:
            raise InputError(f"{self.path / INDEX_NAME} is missing or damaged: {_AGAIN}")
        for slug in index["slugs"]:
            document = _read(self.path, slug)
            if document is None:
                raise InputError(f"{self.path}: {slug} is missing or damaged: {_AGAIN}")
            yield {**document, "slug": slug, **{name: pd.DataFrame(document[name]) for name in TABLES}}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `TABLES` of all predictions, each row with `id` and `target`; docs/attribution.md has the
        columns."""
        found: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
        for document in self.documents():
            key = (document["protein_id"], document["label"])
            about = {name: document[name] for name in ("name", "is_annotated", "full", "empty", "note")}
            for name, rows in found.items():
                table = document[name]
                if name == "summary":
                    table = (table if len(table) else pd.DataFrame(index=[0])).assign(**about)
                keyed = pd.concat([table], keys=[key], names=["id", "target"])
                rows.append(keyed.reset_index(["id", "target"]))
        return {name: pd.concat(rows, ignore_index=True) for name, rows in found.items()}


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the columns for JSON, which has no NaN."""
    rows = table.astype(object).where(table.notna(), None)
    return {str(name): column.tolist() for name, column in rows.items()}


def _read(path: Path, slug: str) -> dict[str, Any] | None:
    """Return a document; None if it or its graph is missing or damaged."""
    document = read_sealed_json(path / TABLES_NAME / f"{slug}.json")
    if document is None:
        return None
    graph, expected = path / f"{slug}.json", document["graph_sha256"]
    return document if not expected or (graph.is_file() and has_sha256(graph, expected)) else None
