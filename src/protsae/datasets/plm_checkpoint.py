"""The protein language model that the user gives: a file, a folder, or a name that is looked up."""

from pathlib import Path
from typing import Any

from protsae.datasets.errors import DatasetInputError, input_errors_pass
from protsae.datasets.source_file import GivenDataset, readable
from protsae.plm.hugging_face import folder_of
from protsae.plm.names import cached_path, fetch


class PlmCheckpointDataset(GivenDataset[Path]):
    """Loads to a path that `plm.load_plm` reads; is never saved.

    A model given by name is looked for in torch hub's cache, where fair-esm keeps it (`TORCH_HOME` moves it),
    and downloaded when it is first loaded. The cache compares what the file or the folder holds.

    Example:
        ```yaml
        plm_checkpoint:
          type: protsae.datasets.PlmCheckpointDataset
          model: esm2_t33_650M_UR50D
        ```
    """

    def __init__(
        self, *, filepath: str | None = None, model: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Keep the place.

        Args:
            filepath: local `.pt` or `.safetensors` file, or a folder in Hugging Face's layout; Kedro resolves
                a relative one against the project.
            model: instead, the name that fair-esm gives a model.
            metadata: `purpose` is named when the file is missing; `kedro-viz` is read by Kedro-Viz.

        Raises:
            DatasetInputError: both or neither are given, or no such name.
        """
        if (filepath is None) == (model is None):
            raise DatasetInputError(
                "plm_checkpoint: give either `filepath`, a file or folder, or `model`, a name such as "
                "esm2_t6_8M_UR50D"
            )
        with input_errors_pass():
            path = Path(filepath) if filepath is not None else cached_path(str(model))
        # what the cache of `kedro run` compares: of a folder all files count, config.json too
        self._path = folder_of(path) or path
        super().__init__(filepath=str(self._path), metadata=metadata)
        self._model = model

    def load(self) -> Path:
        """Return the path, once the file is there.

        Raises:
            DatasetInputError: the file is missing or cannot be read, or no internet for a name.
        """
        if self._model is not None:
            with input_errors_pass():
                return fetch(self._model)
        return self._path if self._path.is_dir() else readable(self._path, self.metadata)

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "model": self._model}
