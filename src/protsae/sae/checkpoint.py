"""Checkpoints: safetensors whose header holds the whole config. Reading the header needs no torch.

The header's `__metadata__` has one key, `protsae`: JSON of `format`, `format_version`, `config`, `metadata`.
One key, because safetensors writes several in no fixed order, and one training has to give the same bytes.
"""

import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from protsae.core.errors import InputError
from protsae.core.files import atomic_path
from protsae.sae.config import ProtSaeConfig, TopKConfig, parse_config

if TYPE_CHECKING:
    from protsae.sae.base import SparseAutoencoder

FORMAT = "protsae.sae"
FORMAT_VERSION = 1
_KEY = "protsae"
_AGAIN = "train again: `kedro run --pipelines training`"


def save_sae(sae: "SparseAutoencoder", path: str | PathLike[str], metadata: dict[str, Any]) -> None:
    """Write weights, config and metadata, atomically. Same content, same bytes.

    Args:
        sae: the module.
        path: file to write.
        metadata: JSON values; what the weights belong to (`hook_point`, `model`, `seed`, ...). `concept_ids`
            and `d_model` are added from the module.
    """
    from safetensors.torch import save_file

    about = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "config": sae.config_json(),
        "metadata": {**metadata, "concept_ids": list(sae.concept_ids), "d_model": sae.config.d_model},
    }
    header = {_KEY: json.dumps(about, sort_keys=True, allow_nan=False)}
    tensors = {name: tensor.detach().contiguous() for name, tensor in sae.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(tensors, str(temporary), metadata=header)


class SaeCheckpoint:
    """Handle on a checkpoint: header read and checked, weights not loaded yet.

    Args:
        path: the file.

    Raises:
        InputError: not a checkpoint of this format, damaged, or written by a newer version.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        about = _read_header(self.path)
        self._config = _config_of(self.path, about)
        self.config: dict[str, Any] = about["config"]
        self.metadata: dict[str, Any] = about["metadata"]

    def load(self) -> "SparseAutoencoder":
        """Return the module with its weights, in evaluation mode.

        Raises:
            InputError: the tensors are damaged, or are not those that the config needs.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from protsae.sae.registry import ARCHITECTURES

        sae = ARCHITECTURES[self._config.architecture][0](self._config)
        try:
            tensors = load_file(str(self.path))
            dtypes = {tensor.dtype for tensor in tensors.values()}
            sae.to(dtypes.pop() if len(dtypes) == 1 else None).load_state_dict(tensors)
        except (SafetensorError, OSError, RuntimeError) as error:
            raise InputError(f"{self.path} is damaged ({error}); {_AGAIN}") from error
        return sae.eval()


def _read_header(path: Path) -> dict[str, Any]:
    """Return the JSON that `save_sae` put in the header; check that the file is as long as its tensors."""
    try:
        with path.open("rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            if not 2 <= length <= path.stat().st_size - 8:
                raise ValueError("its header is longer than the file")
            header = json.loads(handle.read(length))
        about = json.loads(header.pop("__metadata__")[_KEY])
        end = 8 + length + max(entry["data_offsets"][1] for entry in header.values())
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; {_AGAIN}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a checkpoint of format {FORMAT} ({error}); {_AGAIN}") from error
    if path.stat().st_size != end:
        raise InputError(
            f"{path} has {path.stat().st_size} bytes, its header says {end}: truncated; {_AGAIN}"
        )
    return dict(about)


def _config_of(path: Path, about: dict[str, Any]) -> TopKConfig | ProtSaeConfig:
    if about.get("format") != FORMAT or not isinstance(about.get("format_version"), int):
        raise InputError(f"{path} is of format {about.get('format')!r}, not {FORMAT}; {_AGAIN}")
    if about["format_version"] > FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {about['format_version']}, this protsae reads up to "
            f"{FORMAT_VERSION}: install a newer protsae"
        )
    try:
        return parse_config(about["config"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path} has a config that does not hold ({where}: {first['msg']}); {_AGAIN}"
        ) from error
