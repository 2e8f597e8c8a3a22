"""Weights as they lie on disk, under fair-esm's parameter names. Nothing in a file is executed."""

import re
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protsae.core.errors import MALFORMED, InputError
from protsae.core.files import sha256_file, sha256_text
from protsae.core.tensor_files import load_plain_torch, load_safetensors, require_finite

if TYPE_CHECKING:
    from torch import Tensor

_FAIR_ESM_PREFIX = re.compile(r"^encoder\.(sentence_encoder\.)?")


@dataclass(frozen=True)
class ModelShape:
    """What the weights alone do not say."""

    num_layers: int
    embed_dim: int
    attention_heads: int
    token_dropout: bool

    def check(self, path: Path) -> None:
        """Refuse a shape that no ESM-2 has.

        Raises:
            InputError: numbers below one, or heads of an odd or broken width: rotary positions need pairs.
        """
        if min(self.num_layers, self.embed_dim, self.attention_heads) < 1 or self.embed_dim % (
            2 * self.attention_heads
        ):
            raise InputError(
                f"{path}: no ESM-2 has {self.num_layers} layers, width {self.embed_dim} and "
                f"{self.attention_heads} heads"
            )


@dataclass(frozen=True)
class Weights:
    """One checkpoint, read."""

    name: str
    """What the model is called in manifests: file name without suffix, or the name of the folder."""
    files: tuple[Path, ...]
    """All files that decide what the model computes."""
    shape: ModelShape
    state: dict[str, "Tensor"]
    """Parameters under fair-esm's names, as stored; computed ones may be among them."""

    def sha256(self) -> str:
        """Return the hash of the file's bytes; of several files that of their names and bytes."""
        if len(self.files) == 1:
            return sha256_file(self.files[0])
        return sha256_text(*(part for path in self.files for part in (path.name, sha256_file(path))))


def read_own(path: Path) -> Weights:
    """Read a safetensors file with the model's shape in its header, as `pretraining` writes it.

    Raises:
        InputError: a header that says something else, or lacks the shape.
    """
    state, header = load_safetensors(path)
    _refuse_hugging_face(path, state)
    kind = (header.get("architecture"), header.get("alphabet"))
    if kind != ("ESM2", "ESM-1b"):
        raise InputError(f"{path} holds no ESM2 with alphabet ESM-1b: its header says {kind[0]}, {kind[1]}")
    try:
        shape = ModelShape(
            num_layers=int(header["num_layers"]),
            embed_dim=int(header["embed_dim"]),
            attention_heads=int(header["attention_heads"]),
            token_dropout={"true": True, "false": False}[header["token_dropout"]],
        )
    except MALFORMED as error:
        raise InputError(f"{path}: its header lacks or garbles the model's shape ({error})") from error
    return Weights(path.stem, (path,), shape, state)


def read_fair_esm(path: Path) -> Weights:
    """Read a `.pt` file of fair-esm.

    Raises:
        InputError: truncated, of another kind, or one that would run code.
    """
    content = load_plain_torch(path, "fair-esm checkpoint", allowed=[Namespace])
    _refuse_hugging_face(path, content if isinstance(content, dict) else ())
    try:
        config = content["cfg"]["model"]
        shape = ModelShape(
            num_layers=int(config.encoder_layers),
            embed_dim=int(config.encoder_embed_dim),
            attention_heads=int(config.encoder_attention_heads),
            token_dropout=bool(config.token_dropout),
        )
        state = {_FAIR_ESM_PREFIX.sub("", name): value for name, value in content["model"].items()}
    except MALFORMED as error:
        raise InputError(f"{path} is not a fair-esm ESM-2 checkpoint: it lacks {error}") from error
    require_finite(state, path)
    return Weights(path.stem, (path,), shape, state)


def _refuse_hugging_face(path: Path, names: Iterable[object]) -> None:
    if any(str(name).startswith("esm.") for name in names):
        raise InputError(
            f"{path} is in Hugging Face's layout: give its folder, with config.json and model.safetensors in "
            "it"
        )
