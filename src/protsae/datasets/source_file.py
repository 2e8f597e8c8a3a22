"""A file that the user gives: handed to nodes as a path, never written."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from protsae.datasets.errors import DatasetInputError


class SourceFileDataset(AbstractDataset[Any, Path]):
    """Loads to the `pathlib.Path` of an existing local file; refuses to be saved.

    Example:
        ```yaml
        raw_fasta:
          type: protsae.datasets.SourceFileDataset
          filepath: data/01_raw/demo/proteins.fasta
          metadata:
            purpose: the proteins, as FASTA
        ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Keep the path.

        Args:
            filepath: local path; Kedro resolves a relative one against the project.
            metadata: `purpose` is named when the file is missing; `kedro-viz` is read by Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """Return the path.

        Raises:
            DatasetInputError: the file is missing, is a folder, or cannot be read.
        """
        purpose = (self.metadata or {}).get("purpose")
        what = f"{self._filepath} ({purpose})" if purpose else str(self._filepath)
        if self._filepath.is_dir():
            raise DatasetInputError(f"{what} is a folder, not a file: change its `filepath` in the catalog")
        try:
            with self._filepath.open("rb"):
                return self._filepath
        except FileNotFoundError:
            raise DatasetInputError(
                f"{what} does not exist: put the file there, or change `raw_root` in globals.yml or the "
                "entry's `filepath` in the catalog"
            ) from None
        except OSError as error:
            raise DatasetInputError(f"{what} cannot be read: {error.strerror}") from error

    def save(self, data: Any) -> NoReturn:
        """Refuse: this file belongs to the user."""
        raise DatasetError(f"{self._filepath} is given by the user and is never written by a pipeline")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_file()
