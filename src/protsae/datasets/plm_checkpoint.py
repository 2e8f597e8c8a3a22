"""The protein language model that the user gives: a file, a folder, or a name that is looked up."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from protsae.datasets.errors import DatasetInputError, input_errors_pass
from protsae.datasets.source_file import readable
from protsae.plm.hugging_face import folder_of
from protsae.plm.names import cached_path, fetch


class PlmCheckpointDataset(AbstractDataset[Any, Path]):
    """Loads to a path that `plm.load_plm` reads; refuses to be saved.

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
            model: in its place, a name of fair-esm's.
            metadata: `purpose` is named when the file is missing; `kedro-viz` is read by Kedro-Viz.

        Raises:
            DatasetInputError: both or neither are given, or no such name.
        """
        if (filepath is None) == (model is None):
            raise DatasetInputError(
                "plm_checkpoint: give either `filepath`, a file or folder, or `model`, a name such as "
                "esm2_t6_8M_UR50D"
            )
        self._model = model
        self.metadata = metadata
        with input_errors_pass():
            # the name that the cache of `kedro run` asks for: of a folder all files count, config.json too
            self._filepath = Path(filepath) if filepath is not None else cached_path(str(model))
        self._filepath = folder_of(self._filepath) or self._filepath

    def load(self) -> Path:
        """Return the path, once the file is there.

        Raises:
            DatasetInputError: the file is missing or cannot be read, or no internet for a name.
        """
        if self._model is not None:
            with input_errors_pass():
                return fetch(self._model)
        if self._filepath.is_dir():
            return self._filepath
        return readable(self._filepath, (self.metadata or {}).get("purpose"))

    def save(self, data: Any) -> NoReturn:
        """Refuse: this file belongs to the user."""
        raise DatasetError(f"{self._filepath} is given by the user and is never written by a pipeline")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "model": self._model}

    def _exists(self) -> bool:
        return self._filepath.exists()
