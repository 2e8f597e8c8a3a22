"""A folder of activation shards, made shard by shard when it is saved."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from protsae.activations.executors import Executor, LocalExecutor, RayConfig, RayExecutor
from protsae.activations.manifest import MANIFEST_NAME
from protsae.activations.plan import ExtractionPlan
from protsae.activations.reader import ActivationStore
from protsae.activations.writer import write_activations
from protsae.datasets.errors import input_errors_pass


class ActivationShardsDataset(AbstractDataset[ExtractionPlan, ActivationStore]):
    """Saves an `ExtractionPlan` by running its jobs; loads to an `ActivationStore`.

    The manifest is written last: without one the folder does not exist for Kedro, and saving again keeps the
    shards that a killed run left whole.

    Example:
        ```yaml
        activation_shards:
          type: protsae.datasets.ActivationShardsDataset
          filepath: data/04_feature/activations
        ```
    """

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
        self._filepath = Path(filepath)
        self._executor: Executor = LocalExecutor() if ray is None else RayExecutor(RayConfig(**ray))
        self.metadata = metadata

    def load(self) -> ActivationStore:
        """Open the folder after checking it against its manifest.

        Raises:
            DatasetInputError: no manifest, or a file that it lists is missing, truncated or foreign.
        """
        with input_errors_pass():
            return ActivationStore(self._filepath)

    def save(self, data: ExtractionPlan) -> None:
        """Run the jobs of the plan that are not done yet.

        Raises:
            DatasetInputError: too little disk space, or an activation that cannot be stored.
        """
        with input_errors_pass():
            write_activations(data, self._filepath, self._executor)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return (self._filepath / MANIFEST_NAME).is_file()
