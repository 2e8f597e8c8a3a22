"""What was predicted of proteins, made shard by shard when it is saved."""

from pathlib import Path
from typing import Any

from protsae.activations.executors import RayConfig, RayExecutor
from protsae.datasets.planned import PlannedDataset
from protsae.prediction.result import RECORD_NAME, Prediction


class PredictionDataset(PlannedDataset[Prediction]):
    """Saves a `prediction.plan.PredictionPlan` by running it; loads to a `Prediction`.

    Saving again keeps the whole shards of an interrupted run.

    Example:
        ```yaml
        prediction:
          type: protsae.datasets.PredictionDataset
          filepath: data/07_model_output/prediction
        ```
    """

    written_last = RECORD_NAME

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

    def _open(self, path: Path) -> Prediction:
        return Prediction(path)
