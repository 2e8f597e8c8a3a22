"""Tensor files of other origin: safetensors, and torch pickles, of which only plain data are read."""

import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protsae.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def load_plain_torch(path: Path, kind: str, allowed: Sequence[type] = ()) -> Any:
    """Load a `torch.save` file of tensors and plain containers; refuse anything else before it could run.

    Args:
        path: the file.
        kind: what it should be, for the message: "fair-esm checkpoint".
        allowed: inert classes that may occur in addition.

    Raises:
        InputError: it names another class or function, is truncated, or is no torch file.
    """
    import torch

    try:
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        unsafe = re.search(r"GLOBAL (\S+)|(?:global|class|type) (\S+)", str(error))
        if unsafe is None:
            raise InputError(f"{path} is not a {kind} ({_reason(error)})") from error
        raise InputError(
            f"{path.name}: not a plain {kind} (unsafe global {unsafe[1] or unsafe[2]}). "
            "Refusing to unpickle; save its weights as safetensors on a machine you trust."
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise InputError(
            f"{path} is truncated or not a torch file ({_reason(error)}): fetch it again"
        ) from error


def load_safetensors(path: Path) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """Return the tensors by name and the header's metadata.

    Raises:
        InputError: missing, truncated, or not a safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a whole safetensors file ({error}): fetch it again") from error
    return tensors, header


def _reason(error: Exception) -> str:
    """Return what torch found, in a line, without its advice to load the file all the same."""
    text = str(error) or type(error).__name__
    found = re.search(r"WeightsUnpickler error: (.+)", text)
    return (found[1] if found else text.splitlines()[0]).partition(" In PyTorch 2.6")[0]
