"""Releases in the catalog."""

from pathlib import Path

from protsae.datasets.errors import input_errors_pass
from protsae.datasets.local import LocalDataset
from protsae.release.folder import Release, ReleaseContent, open_release, write_release
from protsae.release.record import RECORD_NAME


class ReleaseDataset(LocalDataset[Release]):
    """A folder with a dictionary and all that prediction needs; saves a `release.ReleaseContent`.

    Example:
        ```yaml
        topk.release:
          type: protsae.datasets.ReleaseDataset
          filepath: data/06_models/topk/release
        ```
    """

    written_last = RECORD_NAME

    def save(self, data: ReleaseContent) -> None:
        """Write the folder, whole or not at all.

        Raises:
            DatasetInputError: see `release.write_release`.
        """
        with input_errors_pass():
            write_release(self._filepath, data)

    def _open(self, path: Path) -> Release:
        return open_release(path)
