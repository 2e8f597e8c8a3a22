"""What an unfinished training keeps on disk, in the folder of the checkpoint that it makes."""

from pathlib import Path
from typing import Any

from protsae.training.live import LiveLog, NoLog
from protsae.training.state import StateFile

LIVE_NAME = ".live.jsonl"
"""Live metrics of the training that made the checkpoint beside it; a running one has its fingerprint in the
name."""


class TrainingFiles:
    """State and live metrics of one training."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        """Name the files.

        Args:
            folder: where the checkpoint will be.
            fingerprint: of all that the weights follow from.
        """
        self.state = StateFile(folder, fingerprint)
        self.live: LiveLog = LiveLog(folder / f".live-{fingerprint[:16]}.jsonl")
        self._folder = folder

    def keep(self, state: dict[str, Any]) -> None:
        """Save the state."""
        self.state.save(state)

    def close(self) -> None:
        """Delete the state and keep the live metrics under their final name: the training is done."""
        self.state.remove()
        if self.live.path.is_file():
            self.live.path.replace(self._folder / LIVE_NAME)


class FollowerFiles(TrainingFiles):
    """Those of a worker that reads what another one keeps, and writes nothing."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        """Name the files."""
        super().__init__(folder, fingerprint)
        self.live = NoLog()

    def keep(self, state: dict[str, Any]) -> None:
        """Leave it to the worker that leads."""
