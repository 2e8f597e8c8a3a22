"""Checkpoints: safetensors whose header holds the whole config. Reading the header needs no torch.

The header's `__metadata__` has one key, `protsae`: JSON of `format`, `format_version`, `config`, `metadata`
and `seal`, the checksum of the file's content (`core.files`).
One key, because safetensors writes several in no fixed order, and one training has to give the same bytes.
"""

import json
import logging
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from protsae.core.errors import MALFORMED, InputError
from protsae.core.files import UNSEALED, atomic_path
from protsae.core.tensor_files import load_safetensors, refuse_damaged
from protsae.sae.config import first_problem, parse_config

if TYPE_CHECKING:
    from torch import Tensor

    from protsae.sae.base import SparseAutoencoder

FORMAT = "protsae.sae"
FORMAT_VERSION = 3
_SEALED_FROM = 3
"""Version from which a checkpoint without a seal is damaged."""
SNAPSHOTS_NAME = "snapshots"
"""Folder, next to a checkpoint, with copies from its training."""
_KEY = "protsae"
_AGAIN = "train again: `kedro run --pipelines training`"
_LOGGER = logging.getLogger(__name__)


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


MIGRATIONS: dict[int, Migration] = {
    1: Migration(_state_what_was_default, lambda tensors: tensors),
    2: Migration(lambda about: about, lambda tensors: tensors),  # version 3 adds the seal
}
"""By the version they start from: one entry for each version before `FORMAT_VERSION`."""


def is_checkpoint(path: str | PathLike[str]) -> bool:
    """Return whether a file's header is that of a checkpoint of this package, damaged or not."""
    try:
        return _KEY in _parse_header(Path(path))[0]["__metadata__"]
    except (OSError, *MALFORMED):
        return False


def save_sae(sae: "SparseAutoencoder", path: str | PathLike[str], metadata: dict[str, Any]) -> None:
    """Write weights, config and metadata, atomically and sealed. Same content, same bytes.

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
        "seal": UNSEALED,
        "metadata": {**metadata, "concept_ids": list(sae.concept_ids), "d_model": sae.config.d_model},
    }
    header = {_KEY: json.dumps(about, sort_keys=True, allow_nan=False)}
    tensors = {name: tensor.detach().contiguous() for name, tensor in sae.state_dict().items()}
    with atomic_path(path, sealed=True) as temporary:
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
        try:
            for version in range(self._version, FORMAT_VERSION):
                about = MIGRATIONS[version].header(about)
            self._config = parse_config(about["config"])
        except MALFORMED as error:
            why = first_problem(error) if isinstance(error, ValidationError) else error
            raise InputError(f"{self.path} has a config that is not valid ({why}); {_AGAIN}") from error
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
    def is_sealed(self) -> bool:
        """Whether the file has a checksum, by which damage to its weights is noticed."""
        return self._version >= _SEALED_FROM

    @property
    def n_defined(self) -> int:
        """How many latents are tied to concepts."""
        return len(self.concept_ids)

    def load(self) -> "SparseAutoencoder":
        """Return the module with its weights, in evaluation mode.

        Raises:
            InputError: the tensors are damaged, not finite, or not those that the config needs.
        """
        import torch

        from protsae.sae.registry import build

        tensors = load_safetensors(self.path)[0]
        if not self.is_sealed:
            _LOGGER.warning(
                "%s has format version %d, without a checksum: damage to its weights cannot be noticed; %s",
                *(self.path, self._version, _AGAIN),
            )
        try:
            for version in range(self._version, FORMAT_VERSION):
                tensors = MIGRATIONS[version].tensors(tensors)
            with torch.device("meta"):  # a header of damaged sizes asks for no memory
                needed = {name: tensor.shape for name, tensor in build(self._config).state_dict().items()}
            found = {name: tensor.shape for name, tensor in tensors.items()}
            if wrong := sorted(name for name, _ in needed.items() ^ found.items()):
                raise ValueError(f"{wrong[0]} is not what its config needs")
            sae = build(self._config)
            dtypes = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
            sae.to(dtypes.pop() if len(dtypes) == 1 else None).load_state_dict(tensors)
        except (RuntimeError, *MALFORMED) as error:
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
        version, form = about.get("format_version"), about.get("format")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; {_AGAIN}") from None
    except (OSError, *MALFORMED) as error:
        raise InputError(f"{path} is not a checkpoint of format {FORMAT} ({error}); {_AGAIN}") from error
    if path.stat().st_size != end:
        raise InputError(
            f"{path} has {path.stat().st_size} bytes, its header says {end}: truncated; {_AGAIN}"
        )
    if form != FORMAT or not isinstance(version, int) or version < 1:
        raise InputError(f"{path} is of format {form!r}, not {FORMAT}; {_AGAIN}")
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {version}, this protsae reads up to "
            f"{FORMAT_VERSION}: install a newer protsae"
        )
    refuse_damaged(path, sealed=version >= _SEALED_FROM)
    if not all(isinstance(about.get(key), dict) for key in ("config", "metadata")):
        raise InputError(f"{path} is damaged: its header lacks config or metadata; {_AGAIN}")
    return dict(about)
