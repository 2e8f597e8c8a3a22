"""A language model that is trained when it is saved."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from protsae.datasets.errors import input_errors_pass
from protsae.pretraining.checkpoint import PretrainedPlm, read_plm_header
from protsae.pretraining.plan import PretrainingPlan, run_pretraining


class PretrainedPlmDataset(AbstractDataset[PretrainingPlan, PretrainedPlm]):
    """Saves a `PretrainingPlan` by training; loads a light handle on the file, which `plm.load_plm` reads.

    Saving again after a kill goes on where the last saved state lies, a dot file beside the model. A model of
    the very same training is kept.

    Example:
        ```yaml
        pretrained_plm:
          type: protsae.datasets.PretrainedPlmDataset
          filepath: data/06_models/plm/pretrained_plm.safetensors
        ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Keep the path.

        Args:
            filepath: local path; Kedro resolves a relative one against the project.
            metadata: `kedro-viz` is read by Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> PretrainedPlm:
        """Return the handle.

        Raises:
            DatasetInputError: the file is missing, foreign or damaged.
        """
        with input_errors_pass():
            return read_plm_header(self._filepath)

    def save(self, data: PretrainingPlan) -> None:
        """Train, or go on training.

        Raises:
            DatasetInputError: training diverges, or the saved state is damaged.
        """
        with input_errors_pass():
            run_pretraining(data, self._filepath)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_file()
