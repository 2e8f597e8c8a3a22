"""The trained model as a file that `plm.load_plm` reads, with its settings and its log in the header."""

import json
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.core.errors import MALFORMED, InputError
from protsae.core.files import UNSEALED, atomic_path
from protsae.core.tensor_files import refuse_damaged
from protsae.pretraining.config import ShapeConfig

LOG_COLUMNS = ("step", "split", "term", "value")
_KEY = "protsae.pretraining"
_AGAIN = "train again: `kedro run --pipelines pretraining`"


@dataclass(frozen=True)
class PretrainedPlm:
    """Light handle on a trained model; `plm.load_plm(path)` gives the model itself."""

    path: Path
    about: dict[str, Any]
    """JSON that `save_plm` was given: `fingerprint`, settings, the chosen step, `log`."""

    @property
    def log(self) -> pd.DataFrame:
        """The training log: columns `LOG_COLUMNS`."""
        return pd.DataFrame(self.about["log"], columns=list(LOG_COLUMNS))


def save_plm(
    path: str | PathLike[str],
    state: dict[str, Any],
    shape: ShapeConfig,
    *,
    dtype: str,
    about: dict[str, Any],
) -> None:
    """Write weights under fair-esm's names, atomically and sealed. Same content, same bytes.

    Args:
        path: file to write, `.safetensors`.
        state: state dict of fair-esm's module; rotary tables and contact head are left out.
        shape: of the model.
        dtype: `float16` or `float32`, in which the weights are stored.
        about: JSON values for the header.

    Raises:
        InputError: a weight is too large for the type.
    """
    import torch
    from safetensors.torch import save

    tensors = {}
    for name, value in state.items():
        if "rot_emb" not in name and not name.startswith("contact_head"):
            stored = value.detach().cpu().to(getattr(torch, dtype), copy=True).contiguous()
            if not bool(torch.isfinite(stored).all()):
                raise InputError(f"{name} holds values that {dtype} does not: set stored_dtype to float32")
            tensors[name] = stored
    header = {
        "architecture": "ESM2",
        "alphabet": "ESM-1b",
        "layout": "fair-esm state_dict without rot_emb and contact_head",
        "num_layers": str(shape.n_layers),
        "embed_dim": str(shape.d_model),
        "attention_heads": str(shape.n_heads),
        "token_dropout": "true",
        "seal": UNSEALED,
        _KEY: json.dumps(about, sort_keys=True, allow_nan=False),
    }
    content = _with_sorted_header(save(tensors, metadata=header))
    with atomic_path(path, sealed=True) as temporary:
        temporary.write_bytes(content)


def _with_sorted_header(content: bytes) -> bytes:
    """Sort the keys of a safetensors header: several metadata keys come in no fixed order."""
    length = int.from_bytes(content[:8], "little")
    text = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def read_plm_header(path: str | PathLike[str]) -> PretrainedPlm:
    """Return the handle on a file of `save_plm`, without its weights.

    Raises:
        InputError: missing, truncated, or not made by this pipeline.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; {_AGAIN}")
    try:
        refuse_damaged(path, sealed=True)
        with safe_open(path, framework="pt") as file:
            about = dict(json.loads((file.metadata() or {})[_KEY]))
    except (SafetensorError, OSError, *MALFORMED) as error:
        raise InputError(
            f"{path} is no model that this pipeline made, or not whole ({error}); {_AGAIN}"
        ) from error
    return PretrainedPlm(path, about)
