"""Checkpoints of sparse autoencoders in the catalog."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from protsae.datasets.errors import input_errors_pass
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.training.plan import TrainingPlan
from protsae.training.workers import WorkersConfig, run_on_workers


class SaeCheckpointDataset(AbstractDataset[Any, SaeCheckpoint]):
    """Saves a trained module with what it belongs to; loads a light handle.

    Saves `module` or `(module, metadata)`, or a `training.plan.TrainingPlan` by training: saving again after
    a kill goes on where the last saved state lies, a dot file beside the checkpoint. Loads
    `sae.checkpoint.SaeCheckpoint`, whose `.load()` gives the module.

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
        self._filepath = Path(filepath)
        self._workers = workers
        self.metadata = metadata

    def load(self) -> SaeCheckpoint:
        """Return the handle.

        Raises:
            DatasetInputError: the file is missing, foreign, damaged or too new.
        """
        with input_errors_pass():
            return SaeCheckpoint(self._filepath)

    def save(self, data: Any) -> None:
        """Write `module` or `(module, metadata)`, atomically; run a plan.

        Raises:
            DatasetInputError: training diverges, or the saved state is damaged.
        """
        if isinstance(data, TrainingPlan):
            with input_errors_pass():
                if self._workers is None:
                    data.run(self._filepath)
                else:
                    run_on_workers(data, self._filepath, WorkersConfig.model_validate(self._workers))
            return
        sae, metadata = data if isinstance(data, tuple) else (data, {})
        save_sae(sae, self._filepath, metadata)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_file()
