"""The release that predicts: by name, by folder, or the one that was made here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protsae.core.files import sha256_file, sha256_text
from protsae.datasets.errors import input_errors_pass
from protsae.datasets.source_file import GivenDataset
from protsae.release.folder import SHIPPED, Release, open_release
from protsae.release.record import RECORD_NAME

DEFAULT = SHIPPED[0]


@dataclass(frozen=True)
class ReleaseChoice:
    """Opens a release once it is known whose."""

    models: Path
    """Folder of trained dictionaries, `<dictionary>/release`."""
    release: str | None
    """What the user asked for."""

    def open(self, subject: str) -> Release:
        """Return the release asked for; else that of the dictionary `subject` if there is one, else the
        demo's.

        Raises:
            InputError: not a release, or damaged.
        """
        if self.release is not None:
            return open_release(self.release)
        own = self.models / subject / "release"
        return open_release(own if (own / RECORD_NAME).is_file() else DEFAULT)


class PredictionReleaseDataset(GivenDataset[ReleaseChoice]):
    """Loads to a `ReleaseChoice`; is never saved. The cache compares the records of the releases.

    Example:
        ```yaml
        prediction_release:
          type: protsae.datasets.PredictionReleaseDataset
          filepath: data/06_models
          release: antibody
        ```
    """

    def __init__(
        self, *, filepath: str, release: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Keep both.

        Args:
            filepath: folder of the trained dictionaries; Kedro resolves a relative one against the project.
            release: name of a release of the package, or the folder of one; None: see `ReleaseChoice.open`.
            metadata: read by Kedro-Viz.
        """
        super().__init__(filepath=filepath, metadata=metadata)
        self._choice = ReleaseChoice(Path(filepath), release)

    def load(self) -> ReleaseChoice:
        """Return the choice."""
        return self._choice

    def fingerprint(self) -> str:
        """Return a hash of the records of all releases that may be chosen: these name every file's hash."""
        choice = self._choice
        with input_errors_pass():
            if choice.release is not None:
                return sha256_file(open_release(choice.release).path / RECORD_NAME)
            records = sorted(choice.models.glob(f"*/release/{RECORD_NAME}"))
            return sha256_text(*(part for path in records for part in (str(path), sha256_file(path))))

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "release": self._choice.release}

    def _exists(self) -> bool:
        return True
