"""The state of an unfinished training on disk: whole or absent, and never read by another training."""

import logging
from pathlib import Path
from typing import Any

from protsae.core.errors import InputError
from protsae.core.files import UNSEALED, atomic_path, is_intact

_LOGGER = logging.getLogger(__name__)
_PREFIX = ".training-"


class StateFile:
    """The state file of one training, in the folder of the model that it makes.

    The file's name holds the training's fingerprint: another configuration or other proteins never continue
    it, and never overwrite it.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        """Name the file.

        Args:
            folder: where the model will be.
            fingerprint: of all that the weights follow from.
        """
        self.path = folder / f"{_PREFIX}{fingerprint[:16]}.pt"
        self._fingerprint = fingerprint

    def save(self, state: dict[str, Any]) -> None:
        """Write tensors and plain containers, atomically and sealed."""
        import torch

        with atomic_path(self.path, sealed=True) as temporary:
            torch.save({"seal": UNSEALED, "fingerprint": self._fingerprint, "state": state}, temporary)

    def load(self) -> dict[str, Any] | None:
        """Return what was saved last; None if nothing was, or, with a warning, if the file is damaged.

        Raises:
            InputError: the file belongs to another training.
        """
        import torch

        if not self.path.is_file():
            return None
        if not is_intact(self.path):
            _LOGGER.warning("%s is damaged: training starts from the beginning", self.path)
            return None
        content = torch.load(self.path, map_location="cpu", weights_only=True)
        if content["fingerprint"] != self._fingerprint:
            raise InputError(f"{self.path} belongs to another training: delete it to train from the start")
        return dict(content["state"])

    def remove(self) -> None:
        """Delete the file: the training is done."""
        self.path.unlink(missing_ok=True)

    def warn_of_others(self) -> None:
        """Name the states of other unfinished trainings in the folder."""
        found = self.path.parent.glob(f"{_PREFIX}*.pt")
        if others := sorted(path.name for path in found if path != self.path):
            _LOGGER.warning(
                "%s holds unfinished trainings of other settings, data or code; delete those that you do not "
                "want to resume: %s", self.path.parent, ", ".join(others),
            )  # fmt: skip
