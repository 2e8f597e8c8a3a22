"""Files of an unfinished training, in the folder of its checkpoint."""

import logging
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protsae.core.errors import InputError
from protsae.sae.checkpoint import SNAPSHOTS_NAME, SaeCheckpoint, save_sae
from protsae.training.live import LiveLog
from protsae.training.state import StateFile

if TYPE_CHECKING:
    from protsae.sae.base import SparseAutoencoder

_LOGGER = logging.getLogger(__name__)
LIVE_NAME = ".live.jsonl"
"""Live metrics of the training that made the checkpoint of the same folder. Those of a running training have
its fingerprint in the name."""


class TrainingFiles:
    """State and live metrics of one training."""

    def __init__(
        self, folder: Path, fingerprint: str, origin: Mapping[str, Any] | None = None, *, leads: bool = True
    ) -> None:
        """Name the files.

        Args:
            folder: where the checkpoint will be.
            fingerprint: of all that the weights follow from.
            origin: what the weights belong to, for the headers of snapshots.
            leads: False for a worker that reads what another one writes, and writes nothing.
        """
        self._metadata = {**(origin or {}), "fingerprint": fingerprint}
        self._snapshots = folder / f".snapshots-{fingerprint[:16]}"
        self.state = StateFile(folder, fingerprint)
        self._live_path = folder / f".live-{fingerprint[:16]}.jsonl"
        self.live = LiveLog(self._live_path if leads else None)
        self._leads = leads
        self._folder = folder

    def resume(self, snapshot_at: Collection[int]) -> dict[str, Any] | None:
        """Return the saved state; None without one, or if it or a snapshot made before it is damaged.

        Args:
            snapshot_at: the steps at which there are snapshots.

        Raises:
            InputError: see `StateFile.load`.
        """
        state = self.state.load()
        expected = {step for step in snapshot_at if state is not None and step <= state["step"]}
        if lost := sorted(expected - self._steps_kept(self._snapshots)):
            _LOGGER.warning(
                "the snapshot of step %d is damaged or gone: training starts from the beginning", lost[0]
            )
            return None
        return state

    @property
    def n_snapshots(self) -> int:
        """Number of whole snapshots of this training, in their final place or not yet."""
        folder = self._snapshots if self._snapshots.is_dir() else self._folder / SNAPSHOTS_NAME
        return len(self._steps_kept(folder))

    def _steps_kept(self, folder: Path) -> set[int]:
        """Return the steps of the whole snapshots of this training in a folder."""
        found = set()
        for path in folder.glob("step-*.safetensors"):
            if made_by(path) == self._metadata["fingerprint"]:
                found.add(int(SaeCheckpoint(path).metadata["step"]))
        return found

    def keep(self, state: dict[str, Any]) -> None:
        """Save the state."""
        if self._leads:
            self.state.save(state)

    def snapshot(self, sae: "SparseAutoencoder", step: int, epoch: int) -> None:
        """Write a copy of the autoencoder as it is after a step: the same bytes in every run."""
        if not self._leads:
            return
        self._snapshots.mkdir(parents=True, exist_ok=True)
        path = self._snapshots / f"step-{step:09d}.safetensors"
        save_sae(sae, path, {**self._metadata, "step": step, "epoch": epoch})

    def close(self) -> None:
        """Delete the state and keep snapshots and live metrics under their final names: the training is
        done. Snapshots of an earlier training are deleted."""
        if self._snapshots.is_dir():
            final = self._folder / SNAPSHOTS_NAME
            if final.exists():
                shutil.rmtree(final)
            self._snapshots.replace(final)
        self.state.remove()
        if self._live_path.is_file():
            self._live_path.replace(self._folder / LIVE_NAME)


def made_by(path: Path) -> str | None:
    """Return the fingerprint of the training that made a checkpoint, if it is whole.

    Returns:
        None without one, if it is damaged, or if it is of a format without a checksum: nobody knows then.
    """
    try:
        checkpoint = SaeCheckpoint(path)
    except InputError:
        return None
    found = checkpoint.metadata.get("fingerprint")
    return None if found is None or not checkpoint.is_sealed else str(found)
