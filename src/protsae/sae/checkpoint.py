"""Checkpoints: safetensors whose header holds the whole config. Reading the header needs no torch.

The header's `__metadata__` has one key, `protsae`: JSON of `format`, `format_version`, `config`, `metadata`.
One key, because safetensors writes several in no fixed order, and one training has to give the same bytes.
"""

import json
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from protsae.core.errors import InputError
from protsae.core.files import atomic_path
from protsae.sae.config import first_problem, parse_config

if TYPE_CHECKING:
    from torch import Tensor

    from protsae.sae.base import SparseAutoencoder

FORMAT = "protsae.sae"
FORMAT_VERSION = 2
SNAPSHOTS_NAME = "snapshots"
"""Folder, next to a checkpoint, with copies from its training."""
_KEY = "protsae"
_AGAIN = "train again: `kedro run --pipelines training`"


class Migration(NamedTuple):
    """Converts a file's content from one format version to the next."""

    header: Callable[[dict[str, Any]], dict[str, Any]]
    """Of the JSON in the header, `format_version` aside."""
    tensors: "Callable[[dict[str, Tensor]], dict[str, Tensor]]"
    """Of the tensors by name."""


def _state_what_was_default(about: dict[str, Any]) -> dict[str, Any]:
    """Add the settings of ProtSAE's guidance that version 1 did not have, with the values that it used."""
    config = about["config"]
    if not isinstance(config, dict) or config.get("architecture") != "protsae":
        return about
    then = {"predictor_input": "scaled", "forced_scale": 1.0}
    return {**about, "config": {**config, "guidance": then | config.get("guidance", {})}}


MIGRATIONS: dict[int, Migration] = {1: Migration(_state_what_was_default, lambda tensors: tensors)}
"""By the version they start from: one entry for each version before `FORMAT_VERSION`."""


def is_checkpoint(path: str | PathLike[str]) -> bool:
    """Return whether a file's header is that of a checkpoint of this package, damaged or not."""
    try:
        return _KEY in _parse_header(Path(path))[0]["__metadata__"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


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
    """Handle on a checkpoint, with its header read and checked and its weights not loaded yet.

    Args:
        path: the file.

    Raises:
        InputError: not a checkpoint of this format, damaged, or written by a newer version.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        about = _read_header(self.path)
        self._version: int = about["format_version"]
        for version in range(self._version, FORMAT_VERSION):
            about = MIGRATIONS[version].header(about)
        try:
            self._config = parse_config(about["config"])
        except ValidationError as error:
            raise InputError(
                f"{self.path} has a config that is not valid ({first_problem(error)}); {_AGAIN}"
            ) from error
        self.config: dict[str, Any] = about["config"]
        self.metadata: dict[str, Any] = about["metadata"]

    @property
    def name(self) -> str:
        """What tables call the dictionary: its name, or in files that have none its architecture."""
        return str(self.metadata.get("name", self.config["architecture"]))

    @property
    def concept_ids(self) -> tuple[str, ...]:
        """Concepts that the first latents are tied to, in their order."""
        return tuple(self.metadata.get("concept_ids", ()))

    @property
    def n_defined(self) -> int:
        """How many latents are tied to concepts."""
        return len(self.concept_ids)

    def load(self) -> "SparseAutoencoder":
        """Return the module with its weights, in evaluation mode.

        Raises:
            InputError: the tensors are damaged, or are not those that the config needs.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from protsae.sae.registry import build

        sae = build(self._config)
        try:
            tensors = load_file(str(self.path))
            for version in range(self._version, FORMAT_VERSION):
                tensors = MIGRATIONS[version].tensors(tensors)
            dtypes = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
            sae.to(dtypes.pop() if len(dtypes) == 1 else None).load_state_dict(tensors)
        except (SafetensorError, OSError, RuntimeError) as error:
            raise InputError(f"{self.path} is damaged ({error}); {_AGAIN}") from error
        return sae.eval()


def snapshots_of(checkpoint: SaeCheckpoint) -> list[SaeCheckpoint]:
    """Return the copies that the training of a checkpoint kept, by step (their metadata's `step`).

    Raises:
        InputError: it kept none, or they belong to another training.
    """
    folder = checkpoint.path.parent / SNAPSHOTS_NAME
    found = [SaeCheckpoint(path) for path in sorted(folder.glob("step-*.safetensors"))]
    if not found:
        raise InputError(
            f"{checkpoint.path} has no snapshots: train with "
            "`--params training.trainer.snapshots=24`, or as many as you want"
        )
    foreign = [s.path for s in found if s.metadata["fingerprint"] != checkpoint.metadata.get("fingerprint")]
    if foreign:
        raise InputError(
            f"{foreign[0]} belongs to another training than {checkpoint.path}, as do {len(foreign) - 1} "
            "more: delete the folder and train again with training.trainer.snapshots"
        )
    return sorted(found, key=lambda snapshot: int(snapshot.metadata["step"]))


def _parse_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return a safetensors header and where the tensors start."""
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if not 2 <= length <= path.stat().st_size - 8:
            raise ValueError("its header is longer than the file")
        return json.loads(handle.read(length)), 8 + length


def _read_header(path: Path) -> dict[str, Any]:
    """Return the JSON that `save_sae` put in the header, of a version that can be read; check that the file
    is as long as its tensors."""
    try:
        header, start = _parse_header(path)
        about = json.loads(header.pop("__metadata__")[_KEY])
        end = start + max(entry["data_offsets"][1] for entry in header.values())
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; {_AGAIN}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a checkpoint of format {FORMAT} ({error}); {_AGAIN}") from error
    if path.stat().st_size != end:
        raise InputError(
            f"{path} has {path.stat().st_size} bytes, its header says {end}: truncated; {_AGAIN}"
        )
    version = about.get("format_version")
    if about.get("format") != FORMAT or not isinstance(version, int) or version < 1:
        raise InputError(f"{path} is of format {about.get('format')!r}, not {FORMAT}; {_AGAIN}")
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {version}, this protsae reads up to "
            f"{FORMAT_VERSION}: install a newer protsae"
        )
    return dict(about)
