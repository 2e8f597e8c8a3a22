"""Files of an unfinished training, in the folder of its checkpoint."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protsae.sae.checkpoint import SNAPSHOTS_NAME, save_sae
from protsae.training.live import LiveLog
from protsae.training.state import StateFile

if TYPE_CHECKING:
    from protsae.sae.base import SparseAutoencoder

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
