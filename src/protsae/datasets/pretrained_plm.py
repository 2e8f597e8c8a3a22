"""A language model that is trained when it is saved."""

from pathlib import Path

from protsae.datasets.planned import PlannedDataset
from protsae.pretraining.checkpoint import PretrainedPlm, read_plm_header


class PretrainedPlmDataset(PlannedDataset[PretrainedPlm]):
    """Saves a `pretraining.plan.PretrainingPlan`; loads a light handle on the file, for `plm.load_plm`.

    The state of an unfinished training is a dot file in the model's folder.

    Example:
        ```yaml
        pretrained_plm:
          type: protsae.datasets.PretrainedPlmDataset
          filepath: data/06_models/plm/pretrained_plm.safetensors
        ```
    """

    def _open(self, path: Path) -> PretrainedPlm:
        return read_plm_header(path)
