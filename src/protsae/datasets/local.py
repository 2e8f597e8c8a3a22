"""A file or a folder at a local path, opened to a light handle."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from kedro.io import AbstractDataset

from protsae.datasets.errors import input_errors_pass

Handle = TypeVar("Handle")


class LocalDataset(AbstractDataset[Any, Handle], Generic[Handle]):
    """Loads what lies at a path. A subclass says how it is opened and what saving does."""

    written_last: ClassVar[str] = ""
    """In a folder the file without which it is not complete."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Keep the path.

        Args:
            filepath: local file or folder; Kedro resolves a relative one against the project.
            metadata: read by Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Handle:
        """Return the handle.

        Raises:
            DatasetInputError: the file or folder is missing, unfinished, damaged or of another format.
        """
        with input_errors_pass():
            return self._open(self._filepath)

    @abstractmethod
    def _open(self, path: Path) -> Handle:
        """Return the handle on what lies at a path."""

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return (self._filepath / self.written_last).is_file()
