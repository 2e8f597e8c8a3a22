"""Checkpoints of sparse autoencoders in the catalog."""

from pathlib import Path
from typing import Any

from protsae.core.plan import Plan
from protsae.datasets.planned import PlannedDataset
from protsae.sae.checkpoint import SNAPSHOTS_NAME, SaeCheckpoint, save_sae


class SaeCheckpointDataset(PlannedDataset[SaeCheckpoint]):
    """Saves a trained module with what it belongs to, or a `training.plan.TrainingPlan` by training.

    Saves `module` or `(module, metadata)` too. The state of an unfinished training is a dot file in the
    checkpoint's folder. Loads `sae.checkpoint.SaeCheckpoint`, whose `.load()` gives the module.

    Example:
        ```yaml
        topk.sae_checkpoint:
          type: protsae.datasets.SaeCheckpointDataset
          filepath: data/06_models/topk/sae.safetensors
        ```
    """

    def __init__(
        self,
        *,
        filepath: str,
        workers: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Keep the path.

        Args:
            filepath: local path; Kedro resolves a relative one against the project.
            workers: settings of `training.workers.WorkersConfig`: several processes or GPUs train. None: this
                process does.
            metadata: `kedro-viz` is read by Kedro-Viz.
        """
        super().__init__(filepath=filepath, how=workers, metadata=metadata)

    @property
    def companion(self) -> Path:
        """The folder of snapshots, which belongs to the checkpoint where there is one."""
        return self._filepath.parent / SNAPSHOTS_NAME

    def save(self, data: Any) -> None:
        """Write `module` or `(module, metadata)`, atomically; run a plan.

        Raises:
            DatasetInputError: training diverges, or the saved state is damaged.
        """
        if isinstance(data, Plan):
            super().save(data)
            return
        sae, metadata = data if isinstance(data, tuple) else (data, {})
        save_sae(sae, self._filepath, metadata)

    def _open(self, path: Path) -> SaeCheckpoint:
        return SaeCheckpoint(path)
