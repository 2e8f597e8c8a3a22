"""Protein-function probing of every finished member of a sweep: docs/results/probing.csv, and .json about it.

During or after `kedro run --env swissprot --pipelines sweeps --params ingestion.sequences.n_sampled=20000`:

    python benchmarks/probing.py [--env swissprot]

Latents, predictor and probe of each member, as the sweep judged them, and all baselines, which are judged
here and kept in the run's folder (`07_model_output/probing`), on test proteins: per aspect, with intervals
over homology clusters; of each seed, their mean and spread, by band of identity to training, and paired
differences (method `a - b`). Ablations are left out. Missing members of the list are named.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from helpers.finished_run import FinishedRun
from helpers.provenance import ROOT, provenance, write_json
from helpers.seeds import MEAN_OF_SEEDS, SeedEstimate, seed_rows
from protsae.core.files import atomic_path, sha256_text, write_text_atomic
from protsae.metrics.table import concat_metrics
from protsae.plm import load_plm
from protsae.probing.config import NeighbourConfig, RandomPlmConfig
from protsae.probing.estimates import Estimate, Key, estimate_rows
from protsae.probing.judge import Known, Scores, estimates_of
from protsae.probing.neighbours import find_neighbours
from protsae.probing.random_plm import random_mean_activations
from protsae.probing.scores import probe_scores
from protsae.probing.shuffles import shuffle_labels
from protsae.probing.splits import split_of_proteins
from protsae.sequences.bands import NO_HIT
from protsae.sweeps.config import JudgingConfig
from protsae.sweeps.members import Member
from protsae.sweeps.plan import ESTIMATES_NAME, METRICS_NAME, SweepData
from protsae.training.fingerprints import table_hash

TABLE = ROOT / "docs/results/probing.csv"
COMPARED = ("auc", "aupr", "fmax", "wfmax", "smin")
BASELINES = ("linear_probe", "nearest_neighbour", "composition_probe", "random_plm_probe")
CONTROL = "gated_linear_probe"
FLOORS = ("prevalence", "shuffled_labels")
SEED = re.compile(r"-seed\d+")


class SweepRun(FinishedRun):
    """A run whose sweep is in progress or finished."""

    @property
    def data(self) -> SweepData:
        """What members are judged on."""
        ontology = self.load("concept_terms"), self.load("concept_relations")
        return SweepData(self.store, Known(self.proteins, self.tables, *ontology), self.axioms)

    @property
    def compared(self) -> list[Member]:
        """Members of the sweep except ablations."""
        return [member for member in self.members if member.dictionary.name not in self.sweep.ablations]


@dataclass(frozen=True)
class JudgeReferences:
    """Judges what needs no dictionary, on the activations of a hook point, and keeps what was found."""

    data: SweepData
    judging: JudgingConfig
    work: Path
    plm: Path
    neighbours: NeighbourConfig
    random_plm: RandomPlmConfig

    def __call__(self, hook_point: str) -> pd.DataFrame:
        """Return the estimates, kept ones where nothing they depend on has changed."""
        settings = self.neighbours.model_dump_json(), self.random_plm.model_dump_json()
        fingerprint = sha256_text(self.fingerprint, *settings)
        target = self.work / f"references-{hook_point}-{fingerprint[:12]}.parquet"
        if not target.is_file():
            found = self.data.references(self.judging, hook_point, *self._baseline_tables(hook_point))
            with atomic_path(target) as temporary:
                found.estimates().to_parquet(temporary)
        return pd.read_parquet(target)

    @property
    def fingerprint(self) -> str:
        """Hash of activations and of all that judging depends on."""
        judging = self.data.judging_fingerprint(self.judging)
        return sha256_text(judging, self.data.store.fingerprint())

    def shuffled(self, hook_point: str, n_shuffles: int) -> Iterator[pd.DataFrame]:
        """Yield the estimates of the linear probe on so many shuffles of labels, each another draw.

        Whole label vectors are permuted among training and among validation proteins, so that neither weights
        nor the penalty's strength know true ones; test labels are true. One shuffle says little: draws differ
        by more than the interval of any one of them, which covers the choice of test proteins alone.
        """
        judge, scoring = self.data.judge(self.judging), self.judging.scoring
        features: dict[str, Any] = {}
        of = sha256_text(self.fingerprint, hook_point)
        for seed in range(n_shuffles):
            target = self.work / f"shuffled-{of[:12]}-seed{seed}.parquet"
            if not target.is_file():
                features = features or judge.features(self.data.activations(hook_point), "activation")
                learnt = shuffle_labels(judge.splits, seed)
                values = {"shuffled_labels": dict(probe_scores(features, learnt, scoring))}
                about = {"shuffled_labels": {"hook_point": hook_point, "seed": seed}}
                found = judge.judge(Scores(values, {"shuffled_labels": "probe"}), about)
                with atomic_path(target) as temporary:
                    found.estimates().to_parquet(temporary)
            yield pd.read_parquet(target)

    def _baseline_tables(self, hook_point: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return neighbours and mean activations of the random model: minutes of work, kept by themselves."""
        proteins, store = self.data.known.proteins, self.data.store
        proteins = proteins[proteins["protein_id"].isin(split_of_proteins(proteins, store.protein_ids))]
        sequences = dict(zip(proteins["protein_id"], proteins["sequence"], strict=True))
        model = load_plm(self.plm)
        of = table_hash(proteins[["protein_id", "sequence", "split"]])
        settings = self.neighbours.model_dump_json(), self.random_plm.model_dump_json()
        return (
            self._made("neighbours", (of, settings[0]), lambda: find_neighbours(proteins, self.neighbours)),
            self._made(
                "random_plm",
                (of, settings[1], model.sha256, hook_point),
                lambda: random_mean_activations(model, hook_point, sequences, self.random_plm),
            ),
        )

    def _made(self, name: str, of: Iterable[str], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        path = self.work / f"{name}-{sha256_text(*of)[:12]}.parquet"
        if not path.is_file():
            table = make()
            with atomic_path(path) as temporary:
                table.to_parquet(temporary)
        return pd.read_parquet(path)


def members_table(folder: Path, judging: str) -> pd.DataFrame | None:
    """Return the estimates of a finished member; None: it is not made, or was judged in another way."""
    try:
        found = json.loads((folder / METRICS_NAME).read_text(encoding="utf-8"))["judging"]
    except (FileNotFoundError, KeyError, ValueError):
        return None
    return pd.read_parquet(folder / ESTIMATES_NAME) if found == judging else None


class Group(NamedTuple):
    """One method over its seeds."""

    method: str
    settings: str
    """Id of the member without its seed."""
    supervision: str
    hook_point: str
    k: int | None
    """Latents per residue, where all seeds have the same."""
    seeds: list[tuple[int | None, int | None, dict[Key, Estimate]]]
    """Seed, its own k, and what was measured."""

    def over_seeds(self, key: Key) -> SeedEstimate | None:
        """Return an estimate over seeds; None where it has no resamples."""
        found = [estimates[key] for *_, estimates in self.seeds if key in estimates]
        samples = [estimate.samples for estimate in found if estimate.samples is not None]
        if not samples:
            return None
        values = np.array([estimate.value for estimate in found])
        return SeedEstimate(values, np.mean(samples, axis=0), found[0].n)


def groups(tables: dict[str, pd.DataFrame]) -> Iterator[Group]:
    """Bring the seeds of each member together, in the order of the list."""
    by_group: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for name, table in tables.items():
        for method, rows in table.groupby("method", sort=False):
            by_group.setdefault((str(method), SEED.sub("", name)), []).append(rows)
    for (method, settings), found in by_group.items():
        first = found[0].iloc[0]
        seeds = [
            (*(_whole(rows[name].iloc[0]) for name in ("seed", "k")), estimates_of(rows)) for rows in found
        ]
        numbers = {k for _, k, _ in seeds}
        k = numbers.pop() if len(numbers) == 1 else None
        yield Group(method, settings, first["supervision"], first["hook_point"], k, seeds)


def pairs(found: list[Group]) -> Iterator[tuple[Group, Group]]:
    """Yield what is compared: all with the linear probe, ProtSAE with its rivals, its control and the
    baselines, TopK with frozen dictionaries of its k."""
    by_name: dict[str, list[Group]] = {}
    for group in found:
        by_name.setdefault(group.method, []).append(group)
    for group in found:
        kind = group.method.rpartition("_")[2]
        for other in by_name.get("linear_probe", []):
            if (
                other is not group
                and group.method not in (*BASELINES, *FLOORS)
                and other.hook_point == group.hook_point
            ):
                yield group, other
        for own in by_name.get(f"protsae_{kind}", []):
            if (
                own is not group
                and group.method not in (*BASELINES, CONTROL)
                and own.hook_point == group.hook_point
            ):
                yield own, group
    for own in by_name.get("protsae_latent", []):
        for name in ("protsae_gate", CONTROL):
            yield from ((own, other) for other in by_name.get(name, []) if other.hook_point == own.hook_point)
    for group in found:
        if group.method.startswith("frozen_"):
            name = f"topk_{group.method.rpartition('_')[2]}"
            yield from ((own, group) for own in by_name.get(name, []) if own.k == group.k)
    for own in [*by_name.get("protsae_predictor", []), *by_name.get("linear_probe", [])]:
        for name in BASELINES[1:]:
            for other in by_name.get(name, []):
                yield own, other


def table_of(found: list[Group], confidence: float) -> pd.DataFrame:
    """Return the rows: every seed, means and spreads, bands of identity, differences."""
    tables = []
    for group in found:
        about = {"hook_point": group.hook_point, "k": group.k}
        for seed, k, estimates in group.seeds:
            whole = {key: estimate for key, estimate in estimates.items() if not key.stratum}
            rows = estimate_rows(group.method, "test", whole, confidence, group.supervision)
            tables.append(rows.assign(hook_point=group.hook_point, seed=seed, k=k))
        for key in group.seeds[0][-1]:
            estimate = group.over_seeds(key)
            if estimate is None or (key.stratum and key.aspect != "mean"):
                continue
            tables.append(
                _seed_rows(group.method, key, estimate, confidence, group.supervision).assign(**about)
            )
    for one, other in pairs(found):
        about = {"hook_point": one.hook_point, "k": one.k if other.k is None else other.k}
        for key in one.seeds[0][-1]:
            left, right = one.over_seeds(key), other.over_seeds(key)
            compared = not key.stratum or (key.stratum == NO_HIT and key.aspect == "mean")
            if key.metric in COMPARED and key.preset != "deepgo" and compared and left and right:
                name = f"{one.method} - {other.method}"
                difference = SeedEstimate(
                    np.array([left.values.mean() - right.values.mean()]), left.samples - right.samples, left.n
                )
                tables.append(_seed_rows(name, key, difference, confidence, "").assign(**about))
    return concat_metrics(tables)


def main() -> None:
    """Judge what is not judged yet, and write what there is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="swissprot", help="environment of the run")
    parser.add_argument(
        "--shuffles", type=int, default=10, help="number of label shuffles for the floor shuffled_labels"
    )
    parser.add_argument("--work", type=Path, default=None, help="where what was judged is kept")
    parser.add_argument("--output", type=Path, default=TABLE)
    given = parser.parse_args()
    run, about = SweepRun(given.env), provenance()
    work = given.work or run.sweep_folder.parents[1] / "07_model_output/probing"
    work.mkdir(parents=True, exist_ok=True)
    judging = run.load("params:sweeps.judging")
    judge = run.data.judge(judging)
    arguments = (run.load(f"params:probing.{name}") for name in ("neighbours", "random_plm"))
    references = JudgeReferences(run.data, judging, work, Path(run.load("plm_checkpoint")), *arguments)
    tables = {}
    for hook_point in dict.fromkeys(member.hook_point for member in run.compared):
        found = references(hook_point)
        tables[f"references-{hook_point}"] = found[found["method"] != "shuffled_labels"]
        for seed, table in enumerate(references.shuffled(hook_point, given.shuffles)):
            tables[f"shuffled-{hook_point}-seed{seed}"] = table
    missing, how = [], run.data.judging_fingerprint(judging)
    for member in run.compared:
        table = members_table(run.sweep_folder / member.member_id, how)
        if table is None:
            missing.append(member.member_id)
        else:
            tables[member.member_id] = table
    found = list(groups(tables))
    table = table_of(found, judging.evaluation.confidence)
    write_text_atomic(given.output, table.to_csv(index=False, float_format="%.5g"))
    sizes = {split: len(of.protein_ids) for split, of in judge.splits.items()}
    content = {
        **about,
        "n_proteins": sizes,
        "n_concepts": len(judge.columns),
        "n_resamples": judging.evaluation.n_resamples,
        "pooling": judging.scoring.pooling,
        "members": [member.member_id for member in run.compared if member.member_id in tables],
        "missing": missing,
    }
    write_json(given.output.with_suffix(".json"), content)
    print(summary(table).round(4).to_string())
    if missing:
        print(f"{len(missing)} members of the list are missing: {', '.join(missing)}")


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds and aspects, one row per method and k."""
    shown = table[(table["aspect"] == "mean") & (table["stratum"] == MEAN_OF_SEEDS)]
    shown = shown[shown["preset"].isin(["", "cafa"]) & ~shown["method"].str.contains(" - ")]
    metrics = shown.assign(k=shown["k"].fillna(0))
    wide = metrics.pivot_table(index=["method", "k"], columns="metric", values="value", sort=False)
    return wide.reindex(columns=["auc", "aupr", "aupr_micro", "fmax", "wfmax", "smin", "coverage"])


def _seed_rows(
    name: str, key: Key, estimate: SeedEstimate, confidence: float, supervision: str
) -> pd.DataFrame:
    rows = seed_rows(
        name, key.metric, key.aspect, estimate, confidence=confidence, supervision=supervision
    ).assign(preset=key.preset)
    return rows.assign(stratum=[f"{key.stratum}, {s}" if key.stratum else s for s in rows["stratum"]])


def _whole(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


if __name__ == "__main__":
    main()
