"""A folder of activation shards, made shard by shard when it is saved."""

from pathlib import Path
from typing import Any

from protsae.activations.executors import RayConfig, RayExecutor
from protsae.activations.manifest import MANIFEST_NAME
from protsae.activations.reader import ActivationStore
from protsae.datasets.planned import PlannedDataset


class ActivationShardsDataset(PlannedDataset[ActivationStore]):
    """Saves an `activations.plan.ExtractionPlan`; loads to an `ActivationStore`.

    Without the manifest the folder does not exist for Kedro. Saving again keeps the complete shards of an
    interrupted run.

    Example:
        ```yaml
        activation_shards:
          type: protsae.datasets.ActivationShardsDataset
          filepath: data/04_feature/activations
        ```
    """

    written_last = MANIFEST_NAME

    def __init__(
        self, *, filepath: str, ray: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Keep the path of the folder.

        Args:
            filepath: local folder; Kedro resolves a relative one against the project.
            ray: settings of `activations.executors.RayConfig`: the shards are made by a Ray cluster whose
                workers see the folder. None: by this process.
            metadata: read by Kedro-Viz.
        """
        executor = None if ray is None else RayExecutor(RayConfig(**ray))
        super().__init__(filepath=filepath, how=executor, metadata=metadata)

    def _open(self, path: Path) -> ActivationStore:
        return ActivationStore(path)
