"""The plan of a sweep, how its members are made, and the files that it leaves.

Each member has a folder: `sae.safetensors`, `training_log.csv`, `estimates.parquet` (what
`probing.judge.Judgement.estimates` gives) and, written last, `metrics.json`, which holds the checksums of
all others and, sealed, its own. How long a member took is in `.seconds.json`: it is no part of the result.
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pandas as pd

from protsae.activations.executors import Executor, LocalExecutor
from protsae.activations.reader import ActivationStore
from protsae.core.code import code_hash
from protsae.core.errors import InputError
from protsae.core.files import (
    UNSEALED,
    atomic_path,
    read_sealed_json,
    sha256_file,
    sha256_text,
    write_text_atomic,
)
from protsae.core.plan import Plan
from protsae.encoding.reading import encode, mean_activations
from protsae.encoding.reconstruction import split_rows
from protsae.encoding.run import Run
from protsae.metrics.table import METRIC_COLUMNS, concat_metrics, metrics_table
from protsae.probing.gated_probe import gated_probe_table
from protsae.probing.judge import Judge, Judgement, Known, about_dictionary, about_references
from protsae.probing.splits import split_of_proteins
from protsae.probing.subsumption import subsumption_rows
from protsae.probing.untrained import pool_untrained
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sweeps.config import JudgingConfig
from protsae.sweeps.members import Member
from protsae.training.fingerprints import table_hash
from protsae.training.plan import REGISTRY, Knowledge, Source, TrainingPlan, log_of

INDEX_NAME = "sweep.json"
METRICS_NAME = "metrics.json"
SECONDS_NAME = ".seconds.json"
ESTIMATES_NAME = "estimates.parquet"
CHECKPOINT_NAME = "sae.safetensors"
_LOGGER = logging.getLogger(__name__)


class SweepData(NamedTuple):
    """What all members share."""

    store: ActivationStore
    known: Known
    axioms: pd.DataFrame
    """See `training.plan.Knowledge`."""

    @property
    def knowledge(self) -> Knowledge:
        """Concepts, labels and axioms, for guided members."""
        return Knowledge(self.known.tables, self.axioms)

    def judge(self, config: JudgingConfig) -> Judge:
        """Return the judge of the proteins with activations."""
        return Judge(self.known, self.store.protein_ids, config.scoring, config.evaluation)

    def activations(self, hook_point: str) -> pd.DataFrame:
        """Return the mean activations of all proteins at a hook point."""
        split_of = split_of_proteins(self.known.proteins, self.store.protein_ids)
        return mean_activations(self.store, hook_point, list(split_of))

    def dictionary(
        self, config: JudgingConfig, checkpoint: SaeCheckpoint
    ) -> tuple[Judgement, list[pd.DataFrame]]:
        """Judge a trained dictionary in one pass over the activations.

        Returns:
            What its scores are worth, and rows of the metrics table: geometry and reconstruction.
        """
        run, sae, judge = Run.of(checkpoint), checkpoint.load(), self.judge(config)
        split_of = split_of_proteins(self.known.proteins, self.store.protein_ids)
        proteins = self.known.proteins[self.known.proteins["protein_id"].isin(split_of)]
        found = encode(self.store, sae, run, proteins, config.encoding)
        scores = judge.score_dictionary(run.method, found.proteins, guided=sae.n_defined > 0)
        geometry = subsumption_rows(sae, run, self.axioms, self.known.tables.concepts)
        rows = split_rows(found.reconstruction_sums, found.latent_statistics, sae.config.d_model, run)
        return judge.judge(scores, about_dictionary(run, scores)), [geometry, rows]

    def references(
        self,
        config: JudgingConfig,
        hook_point: str,
        neighbours: pd.DataFrame | None = None,
        random_activations: pd.DataFrame | None = None,
    ) -> Judgement:
        """Judge what needs no dictionary; neighbours and the random model where their tables are given."""
        judge, activations = self.judge(config), self.activations(hook_point)
        gated = gated_probe_table(
            self.store,
            hook_point,
            judge.features(activations, "activation")["train"],
            judge.splits,
            config.scoring,
            config.gated_probe,
        )
        ids = activations["protein_id"].tolist()
        untrained = pool_untrained(self.store, hook_point, ids, config.scoring)
        scores = judge.score_references(activations, neighbours, random_activations, gated, untrained)
        return judge.judge(scores, about_references(hook_point, scores))

    def judging_fingerprint(self, config: JudgingConfig) -> str:
        """Return the hash of all that judging depends on except the checkpoint."""
        known, tables = self.known, self.known.tables
        columns = ["protein_id", "split", "cluster_id", "is_audited"]
        columns += ["nearest_train_identity", "nearest_train_coverage"]
        shown = [known.proteins[columns], tables.concepts, tables.protein_labels]
        shown += [tables.labelled_aspects, self.axioms, known.terms, known.relations]
        hashed = (table_hash(table) for table in shown)
        return sha256_text(*hashed, config.model_dump_json(), judging_code_hash())


def judging_code_hash() -> str:
    """Return the hash of the code that judges; a member's own architecture counts with its training."""
    return code_hash(SweepData, _records, without=(REGISTRY,))


@dataclass(frozen=True)
class ReferenceMember:
    """Methods without training, judged on the activations of one hook point."""

    hook_point: str
    like: ClassVar[None] = None

    @property
    def member_id(self) -> str:
        """Name of its folder."""
        return f"references-{self.hook_point}"


Job = Member | ReferenceMember


@dataclass(frozen=True)
class RunMember:
    """Makes one member: trains, judges, or finds both done. Picklable, so that workers elsewhere can."""

    data: SweepData
    judging: JudgingConfig
    folder: Path

    def __call__(self, job: Job) -> dict[str, Any]:
        """Return `member`, `status` (trained, judged, kept) and seconds of training and judging."""
        folder = self.folder / job.member_id
        if job.like:
            job = job.matched(self._l0_of(job.like))
        plan = self.plan(job) if isinstance(job, Member) else None
        judging = self.data.judging_fingerprint(self.judging)
        fingerprint = sha256_text(plan.fingerprint if plan else self.data.store.fingerprint(), judging)
        found = read_sealed_json(folder / METRICS_NAME)
        if found and (found["fingerprint"], found["files"]) == (fingerprint, _checksums(folder)):
            return {"member": job.member_id, "status": "kept", "seconds": {}}
        (folder / METRICS_NAME).unlink(missing_ok=True)
        started = time.perf_counter()
        status, trained = "judged", 0.0
        if plan:
            before = _mtime(folder / CHECKPOINT_NAME)
            plan.run(folder / CHECKPOINT_NAME)
            status = "judged" if before == _mtime(folder / CHECKPOINT_NAME) else "trained"
            trained = time.perf_counter() - started
        judgement, others, about = self._judge(job, folder)
        with atomic_path(folder / ESTIMATES_NAME) as temporary:
            judgement.estimates().to_parquet(temporary)
        rows = concat_metrics([judgement.rows(self.judging.evaluation.confidence), *others])
        seconds = {"training": trained, "judging": time.perf_counter() - started - trained}
        content = {"seal": UNSEALED, "fingerprint": fingerprint, "judging": judging, **about}
        content |= {"files": _checksums(folder), "metrics": _records(rows)}
        write_text_atomic(folder / SECONDS_NAME, json.dumps(seconds) + "\n")
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        write_text_atomic(folder / METRICS_NAME, text, sealed=True)
        return {"member": job.member_id, "status": status, "seconds": seconds}

    def plan(self, member: Member) -> TrainingPlan:
        """Return the training of a member."""
        source = Source(self.data.store, member.hook_point, self.data.known.proteins)
        return member.dictionary.plan(source, self.data.knowledge)

    def _l0_of(self, member_id: str) -> float:
        """Return the latents per token of a finished member on validation proteins."""
        found = read_sealed_json(self.folder / member_id / METRICS_NAME)
        assert found is not None, member_id
        (l0,) = (
            row["value"] for row in found["metrics"] if (row["metric"], row["split"]) == ("l0", "validation")
        )
        return float(l0)

    def _judge(self, job: Job, folder: Path) -> tuple[Judgement, list[pd.DataFrame], dict[str, Any]]:
        """Return what scores are worth, rows of what else is measured, and what is said of the job."""
        if isinstance(job, ReferenceMember):
            found = self.data.references(self.judging, job.hook_point)
            return found, [], {"name": "references", "hook_point": job.hook_point}
        dictionary, checkpoint = job.dictionary, SaeCheckpoint(folder / CHECKPOINT_NAME)
        with atomic_path(folder / "training_log.csv") as temporary:
            log_of(checkpoint).to_csv(temporary, index=False)
        settings = json.loads(json.dumps(dictionary.settings, default=lambda value: value.model_dump()))
        about = {
            "name": dictionary.name,
            "architecture": dictionary.architecture,
            "hook_point": job.hook_point,
            **dictionary.size._asdict(),
            "settings": settings,
            "trainer": dictionary.trainer.model_dump(),
            "training": checkpoint.metadata["training"],
        }
        return *self.data.dictionary(self.judging, checkpoint), about


@dataclass(frozen=True)
class SweepPlan(Plan):
    """All members of a sweep, and what they are made from."""

    members: tuple[Member, ...]
    data: SweepData
    judging: JudgingConfig = field(default_factory=JudgingConfig)
    references: bool = True

    def run(self, path: Path, how: Executor | None = None) -> None:
        """Make what is not made yet, and write the list of members last.

        Args:
            path: one folder per member goes below it.
            how: who makes members; None: this process, one after another.

        Raises:
            InputError: a member's training is refused or diverges; those before it are kept.
        """
        folder = path.absolute()
        hook_points = dict.fromkeys(member.hook_point for member in self.members)
        jobs: list[Job] = [*map(ReferenceMember, hook_points if self.references else ()), *self.members]
        folder.mkdir(parents=True, exist_ok=True)
        others = {path.parent.name for path in folder.glob(f"*/{METRICS_NAME}")}
        if others := others - {job.member_id for job in jobs}:
            _LOGGER.info("%s: members of other lists stay: %s", folder, ", ".join(sorted(others)))
        runner = RunMember(self.data, self.judging, folder)
        # members that match another's L0 come after it
        waves = [[job for job in jobs if (job.like is not None) == wave] for wave in (False, True)]
        executor = how or LocalExecutor()
        done = chain.from_iterable(executor.run(runner, wave) for wave in waves if wave)
        for number, outcome in enumerate(done, start=1):
            seconds = sum(outcome["seconds"].values())
            _LOGGER.info(
                "%d of %d: %s %s (%.0f s)", number, len(jobs), outcome["member"], outcome["status"], seconds
            )
        index = {"seal": UNSEALED, "members": [job.member_id for job in jobs]}
        write_text_atomic(folder / INDEX_NAME, json.dumps(index, indent=1) + "\n", sealed=True)


class Sweep:
    """Handle on a finished sweep."""

    def __init__(self, folder: Path) -> None:
        """Read the list of members.

        Raises:
            InputError: there is none: the sweep never finished; or it is damaged.
        """
        self.folder = folder
        index = read_sealed_json(folder / INDEX_NAME)
        if index is None:
            raise InputError(
                f"{folder / INDEX_NAME} is missing or damaged, the sweep never finished: run it again"
            )
        self.members: Sequence[str] = index["members"]

    def metrics(self) -> pd.DataFrame:
        """Return `member` and the columns of the metrics table, in the order of the list.

        Raises:
            InputError: a member's metrics are missing or damaged.
        """
        tables = []
        for member in self.members:
            found = read_sealed_json(self.folder / member / METRICS_NAME)
            if found is None:
                raise InputError(f"{self.folder / member} has no whole {METRICS_NAME}: run the sweep again")
            rows = concat_metrics([metrics_table(found["metrics"])])
            tables.append(rows.assign(member=member)[["member", *METRIC_COLUMNS]])
        return pd.concat(tables, ignore_index=True)


def _checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of a member's files by name, those of its snapshots too."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    kept = sorted(name for name in files if name != METRICS_NAME and not name.startswith("."))
    return {name: sha256_file(files[name]) for name in kept}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON values without what is missing."""
    found = json.loads(table.to_json(orient="records", double_precision=15))
    return [{key: value for key, value in row.items() if value is not None} for row in found]


def _mtime(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0
