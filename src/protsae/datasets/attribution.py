"""A folder of attributions, made one by one when it is saved."""

from pathlib import Path

from protsae.attribution.plan import INDEX_NAME, Attributions
from protsae.datasets.planned import PlannedDataset


class AttributionDataset(PlannedDataset[Attributions]):
    """Saves an `attribution.plan.AttributionPlan` by running it; loads to `attribution.plan.Attributions`.

    Saving again after an interruption keeps what is complete.

    Example:
        ```yaml
        attribution_graphs:
          type: protsae.datasets.AttributionDataset
          filepath: data/07_model_output/attribution
        ```
    """

    written_last = INDEX_NAME

    def _open(self, path: Path) -> Attributions:
        return Attributions(path)
