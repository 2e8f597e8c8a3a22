"""The plan of a training, which the checkpoint's dataset runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from protsae.core.plan import Plan
from protsae.training.files import made_by
from protsae.training.run import REGISTRY, fingerprint_of, log_of, run
from protsae.training.task import Knowledge, SizeAndSeed, Source, TrainingTask

__all__ = ["REGISTRY", "Knowledge", "SizeAndSeed", "Source", "TrainingPlan", "log_of", "made_by"]


class TrainingPlan(TrainingTask, Plan):
    """A task that makes a checkpoint. Equal fingerprints mean equal trainings."""

    @property
    def fingerprint(self) -> str:
        """See `training.run.fingerprint_of`."""
        return fingerprint_of(self)

    def run(self, path: Path, how: Mapping[str, Any] | None = None) -> None:
        """Train, or resume training, and write the checkpoint to `path`, unless it is there already.

        Args:
            path: the checkpoint. State and live metrics of an unfinished training are dot files in its
                folder.
            how: settings of `training.workers.WorkersConfig`; None: this process trains.

        Raises:
            InputError: what `fit` or `workers.run_on_workers` refuses, or a damaged state.
        """
        if how is None:
            run(self, path)
        else:
            from protsae.training.workers import WorkersConfig, run_on_workers

            run_on_workers(self, path, WorkersConfig.model_validate(how))
