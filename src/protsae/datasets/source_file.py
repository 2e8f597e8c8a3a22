"""Files that the user gives: handed to nodes as paths, never written."""

from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from kedro.io import AbstractDataset, DatasetError

from protsae.core.files import sha256_file, sha256_text
from protsae.datasets.errors import DatasetInputError

Loaded = TypeVar("Loaded")


class GivenDataset(AbstractDataset[Any, Loaded], Generic[Loaded]):
    """What the user gives at a local path: it is never saved, and may be left out by `filepath: null`."""

    def __init__(
        self, *, filepath: str | None, optional: bool = False, metadata: dict[str, Any] | None = None
    ) -> None:
        """Keep the path.

        Args:
            filepath: local path; Kedro resolves a relative one against the project. None: not given.
            optional: whether what is not there counts as not given.
            metadata: `purpose` is named when the file is missing; `kedro-viz` is read by Kedro-Viz.
        """
        self._filepath = None if filepath is None else Path(filepath)
        self._optional = optional
        self.metadata = metadata

    @property
    def is_absent(self) -> bool:
        """Whether this input is not given."""
        return self._filepath is None or (self._optional and not self._filepath.exists())

    def save(self, data: Any) -> NoReturn:
        """Refuse: the user's files are not overwritten."""
        raise DatasetError(f"{self} is given by the user and is never written by a pipeline")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": None if self._filepath is None else str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath is None or self._filepath.exists()


class SourceFileDataset(GivenDataset[Path | None]):
    """Loads to the `pathlib.Path` of an existing local file; to None where it is not given.

    Example:
        ```yaml
        raw_sequences:
          type: protsae.datasets.SourceFileDataset
          filepath: data/01_raw/demo/proteins.fasta
          metadata:
            purpose: the proteins, as FASTA
        ```
    """

    def check(self) -> None:
        """Refuse what is there and is no file that can be read, before anyone hashes it.

        Raises:
            DatasetInputError: a folder, a named pipe, a device, or a file that cannot be read.
        """
        if self._filepath is not None and self._filepath.exists():
            readable(self._filepath, self.metadata)

    def load(self) -> Path | None:
        """Return the path, or None.

        Raises:
            DatasetInputError: the file is missing, is a folder, or cannot be read.
        """
        return None if self._filepath is None or self.is_absent else readable(self._filepath, self.metadata)

    def _exists(self) -> bool:
        return self._filepath is None or self.is_absent or self._filepath.is_file()


class SourceFolderDataset(GivenDataset[Path | None]):
    """Loads to the `pathlib.Path` of an existing local folder; to None where it is not given.

    Example:
        ```yaml
        raw_structures:
          type: protsae.datasets.SourceFolderDataset
          filepath: data/01_raw/structures
        ```
    """

    def load(self) -> Path | None:
        """Return the path, or None.

        Raises:
            DatasetInputError: the folder is missing, or is no folder.
        """
        if self.is_absent:
            return None
        if self._filepath is not None and not self._filepath.is_dir():
            raise DatasetInputError(
                f"{self._filepath} is no folder: make it, or change its `filepath` in the catalog"
            )
        return self._filepath

    def _exists(self) -> bool:
        return self.is_absent or (self._filepath is not None and self._filepath.is_dir())


class SourceFilesDataset(AbstractDataset[Any, dict[str, Path]]):
    """Loads to the paths of any number of local files by name; refuses to be saved.

    Example:
        ```yaml
        raw_binding_sites:
          type: protsae.datasets.SourceFilesDataset
          files:
            metal: {filepath: data/01_raw/metal.txt}
            nucleic acid: {filepath: data/01_raw/nucleic.txt}
        ```
    """

    def __init__(self, *, files: dict[str, dict[str, str]], metadata: dict[str, Any] | None = None) -> None:
        """Keep the paths.

        Args:
            files: name to `{filepath: ...}` (under that key, since Kedro resolves relative paths there).
            metadata: `purpose` is named when a file is missing; `kedro-viz` is read by Kedro-Viz.

        Raises:
            DatasetInputError: an entry has no `filepath`, or other keys.
        """
        wrong = [
            name for name, entry in files.items() if not isinstance(entry, dict) or set(entry) != {"filepath"}
        ]
        if wrong:
            raise DatasetInputError(
                f"files.{wrong[0]}: expected `{{filepath: path}}`, found {files[wrong[0]]!r}"
            )
        self._files = {str(name): Path(entry["filepath"]) for name, entry in files.items()}
        self.metadata = metadata

    def load(self) -> dict[str, Path]:
        """Return the paths in the order of the catalog.

        Raises:
            DatasetInputError: a file is missing, is a folder, or cannot be read.
        """
        return {name: readable(path, self.metadata) for name, path in self._files.items()}

    def save(self, data: Any) -> NoReturn:
        """Refuse: these files belong to the user."""
        raise DatasetError(f"{list(self._files)} are given by the user and never written by a pipeline")

    def fingerprint(self) -> str | None:
        """Return a hash of names and bytes, which the cache compares; None if a file is missing."""
        for path in self._files.values():
            if path.exists():
                readable(path, self.metadata)
        if not self._exists():
            return None
        return sha256_text(
            *(part for name, path in self._files.items() for part in (name, sha256_file(path)))
        )

    def _describe(self) -> dict[str, Any]:
        return {"files": {name: str(path) for name, path in self._files.items()}}

    def _exists(self) -> bool:
        return all(path.is_file() for path in self._files.values())


def readable(path: Path, metadata: dict[str, Any] | None) -> Path:
    """Return the path of a file that can be opened; errors name its `purpose` in the catalog's metadata.

    Raises:
        DatasetInputError: it is missing, is a folder, or cannot be read.
    """
    purpose = (metadata or {}).get("purpose")
    what = f"{path} ({purpose})" if purpose else str(path)
    if path.is_dir():
        raise DatasetInputError(f"{what} is a folder, not a file: change its `filepath` in the catalog")
    if path.exists() and not path.is_file():
        raise DatasetInputError(
            f"{what} is a named pipe or a device, which can be read once only: write its content to a file"
        )
    try:
        with path.open("rb"):
            return path
    except FileNotFoundError:
        raise DatasetInputError(
            f"{what} does not exist: put the file there, or change `raw_root` in globals.yml or the "
            "entry's `filepath` in the catalog"
        ) from None
    except OSError as error:
        raise DatasetInputError(f"{what} cannot be read: {error.strerror}") from error
