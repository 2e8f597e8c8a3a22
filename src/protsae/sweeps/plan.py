"""A sweep decided before anything is trained, its running member by member, and what lies on disk then.

Each member has a folder: `sae.safetensors`, `training_log.csv`, `estimates.parquet` (see `sweeps.estimates`)
and, written last, `metrics.json`.
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.activations.executors import Executor, LocalExecutor
from protsae.core.code import code_hash
from protsae.core.errors import InputError
from protsae.core.files import atomic_path, sha256_text, write_text_atomic
from protsae.core.plan import Plan
from protsae.metrics.table import METRIC_COLUMNS, concat_metrics, metrics_table
from protsae.sweeps.config import JudgingConfig
from protsae.sweeps.estimates import estimates_table
from protsae.sweeps.judging import Judge, Judgement, SweepData
from protsae.sweeps.members import Member
from protsae.training.plan import Source, TrainingPlan, log_of

INDEX_NAME = "sweep.json"
METRICS_NAME = "metrics.json"
ESTIMATES_NAME = "estimates.parquet"
CHECKPOINT_NAME = "sae.safetensors"
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reference:
    """What is judged without training, on the activations of one hook point."""

    hook_point: str

    @property
    def member_id(self) -> str:
        """Name of its folder."""
        return f"references-{self.hook_point}"


Job = Member | Reference


@dataclass(frozen=True)
class RunMember:
    """Makes one member: trains, judges, or finds both done. Picklable, so that workers elsewhere can."""

    data: SweepData
    judging: JudgingConfig
    folder: Path

    def __call__(self, job: Job) -> dict[str, Any]:
        """Return `member`, `status` (trained, judged, kept) and seconds of training and judging."""
        folder = self.folder / job.member_id
        if isinstance(job, Member) and job.like:
            job = job.matched(self._l0_of(job.like))
        plan = self.plan(job) if isinstance(job, Member) else None
        judging = Judge(self.data, self.judging).fingerprint()
        made_from = plan.fingerprint if plan else self.data.store.fingerprint()
        fingerprint = sha256_text(made_from, judging, code_hash(estimates_table, _records))
        if (found := _read_json(folder / METRICS_NAME)) and found["fingerprint"] == fingerprint:
            return {"member": job.member_id, "status": "kept", "seconds": found["seconds"]}
        (folder / METRICS_NAME).unlink(missing_ok=True)
        started = time.perf_counter()
        status, trained = "judged", 0.0
        if plan:
            before = _mtime(folder / CHECKPOINT_NAME)
            plan.run(folder / CHECKPOINT_NAME)
            status = "judged" if before == _mtime(folder / CHECKPOINT_NAME) else "trained"
            trained = time.perf_counter() - started
        judgement, about = self._judge(job, folder)
        with atomic_path(folder / ESTIMATES_NAME) as temporary:
            estimates_table(judgement).to_parquet(temporary)
        rows = judgement.rows(self.judging.evaluation.confidence)
        seconds = {"training": trained, "judging": time.perf_counter() - started - trained}
        content = {"fingerprint": fingerprint, "judging": judging, **about, "seconds": seconds}
        content["metrics"] = _records(rows)
        write_text_atomic(folder / METRICS_NAME, json.dumps(content, indent=1, allow_nan=False) + "\n")
        return {"member": job.member_id, "status": status, "seconds": seconds}

    def plan(self, member: Member) -> TrainingPlan:
        """Return the training of a member."""
        from protsae.sae.registry import ARCHITECTURES

        guided = "concept_ids" in ARCHITECTURES[member.architecture][1].model_fields
        source = Source(self.data.store, member.hook_point, self.data.proteins)
        knowledge = self.data.knowledge if guided else None
        return TrainingPlan(
            member.architecture, source, member.size, member.trainer, member.settings, knowledge
        )

    def _l0_of(self, member_id: str) -> float:
        """Return the latents per token of a finished member on validation proteins."""
        found = _read_json(self.folder / member_id / METRICS_NAME)
        assert found is not None, member_id
        (l0,) = (
            row["value"] for row in found["metrics"] if (row["metric"], row["split"]) == ("l0", "validation")
        )
        return float(l0)

    def _judge(self, job: Job, folder: Path) -> tuple[Judgement, dict[str, Any]]:
        from protsae.sae.checkpoint import SaeCheckpoint

        judge = Judge(self.data, self.judging)
        if isinstance(job, Reference):
            return judge.references(job.hook_point), {"name": "references", "hook_point": job.hook_point}
        checkpoint = SaeCheckpoint(folder / CHECKPOINT_NAME)
        with atomic_path(folder / "training_log.csv") as temporary:
            log_of(checkpoint).to_csv(temporary, index=False)
        about = {
            "name": job.name,
            "architecture": job.architecture,
            "hook_point": job.hook_point,
            **job.size._asdict(),
            "settings": json.loads(json.dumps(job.settings, default=lambda value: value.model_dump())),
            "trainer": job.trainer.model_dump(),
            "training": checkpoint.metadata["training"],
        }
        return judge.member(checkpoint, job.name), about


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
        jobs: list[Job] = [*map(Reference, hook_points if self.references else ()), *self.members]
        folder.mkdir(parents=True, exist_ok=True)
        others = {path.parent.name for path in folder.glob(f"*/{METRICS_NAME}")}
        if others := others - {job.member_id for job in jobs}:
            _LOGGER.info("%s: members of other lists stay: %s", folder, ", ".join(sorted(others)))
        runner = RunMember(self.data, self.judging, folder)
        # those that follow others come when these are done
        waves = [[job for job in jobs if _follows(job) == wave] for wave in (False, True)]
        executor = how or LocalExecutor()
        done = chain.from_iterable(executor.run(runner, wave) for wave in waves if wave)
        for number, outcome in enumerate(done, start=1):
            seconds = sum(outcome["seconds"].values())
            _LOGGER.info(
                "%d of %d: %s %s (%.0f s)", number, len(jobs), outcome["member"], outcome["status"], seconds
            )
        index = {"members": [job.member_id for job in jobs]}
        write_text_atomic(folder / INDEX_NAME, json.dumps(index, indent=1) + "\n")


class Sweep:
    """Handle on a finished sweep."""

    def __init__(self, folder: Path) -> None:
        """Read the list of members.

        Raises:
            InputError: there is none: the sweep never finished.
        """
        self.folder = folder
        index = _read_json(folder / INDEX_NAME)
        if index is None:
            raise InputError(f"{folder / INDEX_NAME} is missing, the sweep never finished: run it again")
        self.members: Sequence[str] = index["members"]

    def metrics(self) -> pd.DataFrame:
        """Return `member` and the columns of the metrics table, in the order of the list.

        Raises:
            InputError: a member's metrics are missing.
        """
        tables = []
        for member in self.members:
            found = _read_json(self.folder / member / METRICS_NAME)
            if found is None:
                raise InputError(f"{self.folder / member} has no {METRICS_NAME}: run the sweep again")
            rows = concat_metrics([metrics_table(found["metrics"])])
            tables.append(rows.assign(member=member)[["member", *METRIC_COLUMNS]])
        return pd.concat(tables, ignore_index=True)


def _follows(job: Job) -> bool:
    return isinstance(job, Member) and job.like is not None


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return None


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON values without what is missing."""
    found = json.loads(table.to_json(orient="records", double_precision=15))
    return [{key: value for key, value in row.items() if value is not None} for row in found]


def _mtime(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0
