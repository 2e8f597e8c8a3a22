"""Tensor files of other origin: safetensors, and torch pickles, of which only plain data are read."""

import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protsae.core.errors import MALFORMED, InputError
from protsae.core.files import is_intact

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
            f"{path}: not a plain {kind} (unsafe global {unsafe[1] or unsafe[2]}). "
            "Refusing to unpickle; save its weights as safetensors on a machine you trust."
        ) from error
    except (RuntimeError, EOFError, OSError, *MALFORMED) as error:
        raise InputError(
            f"{path} is truncated or not a torch file ({_reason(error)}): fetch it again"
        ) from error


def load_safetensors(path: Path) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """Return the tensors by name and the header's metadata.

    Raises:
        InputError: missing, truncated, not a safetensors file, not as it was sealed, or with weights that are
            no numbers.
    """
    from safetensors import SafetensorError, safe_open

    try:
        refuse_damaged(path)
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except InputError:
        raise
    except (SafetensorError, OSError, RuntimeError, *MALFORMED) as error:
        raise InputError(f"{path} is not a whole safetensors file ({error}): fetch it again") from error
    require_finite(tensors, path)
    return tensors, header


def refuse_damaged(path: Path, *, sealed: bool = False) -> None:
    """Refuse a file whose bytes are not those that were sealed; if it has to be `sealed`, one without.

    Raises:
        InputError: it is damaged.
        OSError: it cannot be read.
    """
    if not (is_intact(path) is True if sealed else is_intact(path) is not False):
        raise InputError(
            f"{path} is damaged: its checksum is not that of its content. Make or fetch it again"
        )


def require_finite(tensors: "Mapping[str, Tensor]", path: Path) -> None:
    """Refuse weights that are NaN or infinite.

    Raises:
        InputError: naming the first tensor.
    """
    import torch

    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InputError(
                f"{path} is damaged: {name} holds NaN or infinite values. Make or fetch it again"
            )


def _reason(error: Exception) -> str:
    """Return what torch found, in a line, without its advice to load the file all the same."""
    text = str(error) or type(error).__name__
    found = re.search(r"WeightsUnpickler error: (.+)", text)
    return (found[1] if found else text.splitlines()[0]).partition(" In PyTorch 2.6")[0]
