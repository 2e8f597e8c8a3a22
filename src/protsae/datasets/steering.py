"""A folder of designed sequences, made shard by shard when it is saved."""

from pathlib import Path
from typing import Any

from protsae.activations.executors import RayConfig, RayExecutor
from protsae.datasets.planned import PlannedDataset
from protsae.steering.plan import INDEX_NAME, Designs


class SteeringDataset(PlannedDataset[Designs]):
    """Saves a `steering.plan.SteeringPlan` by running it; loads to `steering.plan.Designs`.

    Saving again after an interruption keeps the shards that are complete.

    Example:
        ```yaml
        steering_designs:
          type: protsae.datasets.SteeringDataset
          filepath: data/07_model_output/steering
        ```
    """

    written_last = INDEX_NAME

    def __init__(
        self, *, filepath: str, ray: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Keep the path of the folder.

        Args:
            filepath: local folder; Kedro resolves a relative one against the project.
            ray: settings of `activations.executors.RayConfig`: shards are made by the workers of a Ray
                cluster that see the folder and the models. None: by this process.
            metadata: read by Kedro-Viz.
        """
        executor = None if ray is None else RayExecutor(RayConfig(**ray))
        super().__init__(filepath=filepath, how=executor, metadata=metadata)

    def _open(self, path: Path) -> Designs:
        return Designs(path)
