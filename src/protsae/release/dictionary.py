"""A dictionary of any origin: the module, what it was made for, and its release if it has one."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protsae.core.errors import InputError
from protsae.release.folder import SHIPPED, Release, open_release
from protsae.release.record import RECORD_NAME, SAE_NAME
from protsae.sae.checkpoint import SaeCheckpoint, is_checkpoint
from protsae.sae.made_for import MadeFor, Model, check_batch, check_model, made_for

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from protsae.sae.base import SparseAutoencoder
    from protsae.sae.interchange import TokenNormalisedSae


@dataclass(frozen=True)
class Dictionary:
    """A trained sparse autoencoder, raw activations in and out."""

    sae: "SparseAutoencoder | TokenNormalisedSae"
    """The module, in evaluation mode. What it is called with is not checked."""
    made_for: MadeFor
    """Language model, hook point and activations that it was trained on, as far as they are on record."""
    release: Release | None = None
    """Its tables; None for other files."""
    notes: tuple[str, ...] = ()
    """What was assumed in reading the file, as sentences."""

    def __repr__(self) -> str:
        """Return what it is, in a line."""
        about = self.made_for
        model = f"{about.model or 'an unknown model'}, {about.hook_point or 'an unknown layer'}"
        return f"Dictionary({about.name}: {self.d_sae} latents, {len(self.concept_ids)} defined, of {model})"

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.made_for.name

    @property
    def hook_point(self) -> str | None:
        """The layer whose activations it decomposes; None: not on record."""
        return self.made_for.hook_point

    @property
    def d_model(self) -> int:
        """Width of the activations."""
        return self.made_for.d_model

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return int(self._inner.config.d_sae)

    @property
    def concept_ids(self) -> tuple[str, ...]:
        """Concepts of the first latents, in their order."""
        return self._inner.concept_ids

    @property
    def architecture(self) -> str:
        """Its kind, see `sae.registry`."""
        return str(self._inner.config_json()["architecture"])

    @property
    def decoder(self) -> "Tensor":
        """The latents' directions [d_sae, d_model], of the norm in the file."""
        return self._inner.W_dec.detach()

    @cached_property
    def _inner(self) -> "SparseAutoencoder":
        """The module over normalised activations."""
        from protsae.sae.interchange.input_norm import TokenNormalisedSae

        return self.sae.sae if isinstance(self.sae, TokenNormalisedSae) else self.sae

    @property
    def tables(self) -> Release:
        """The release.

        Raises:
            InputError: the dictionary is of another origin.
        """
        if self.release is None:
            raise InputError(
                f"dictionary '{self.name}' has no tables: they are in a release, such as 'demo' or the "
                "folder data/06_models/protsae/release that the pipeline `release` writes"
            )
        return self.release

    def check_model(self, model: Model, *, hook_point: str, accept_mismatch: bool = False) -> list[str]:
        """Refuse another language model, layer or width; see `sae.made_for.check_model`."""
        return check_model(self.made_for, model, hook_point=hook_point, accept_mismatch=accept_mismatch)

    def encode(self, x: "Tensor | np.ndarray", *, accept_mismatch: bool = False) -> "Tensor":
        """Return the codes [n, d_sae] >= 0 of raw activations [n, d_model]; no gradient flows.

        Args:
            x: raw activations of residues.
            accept_mismatch: warn of activations unlike those of training, instead of refusing them.

        Raises:
            InputError: activations of another width, size or origin, see `sae.made_for.check_batch`.
        """
        import torch

        rows = torch.as_tensor(x).to(self._inner.b_dec.device, self._inner.b_dec.dtype)
        for mark in check_batch(self.made_for, self.sae, rows, accept_mismatch=accept_mismatch):
            warnings.warn(mark, stacklevel=2)
        with torch.no_grad():
            return self.sae.encode(rows)

    def decode(
        self, latent_acts: "Tensor | np.ndarray", like: "Tensor | np.ndarray | None" = None
    ) -> "Tensor":
        """Return raw activations [n, d_model] of codes [n, d_sae]; no gradient flows.

        Args:
            latent_acts: the codes.
            like: the raw activations that they come from; only dictionaries over normalised tokens
                (InterProt's, some of InterPLM's) need them.

        Raises:
            InputError: another number of latents, or `like` is needed and not given.
        """
        import torch

        to = self._inner.b_dec.device, self._inner.b_dec.dtype
        codes = torch.as_tensor(latent_acts).to(*to)
        if codes.shape[-1] != self.d_sae:
            raise InputError(
                f"codes have {codes.shape[-1]} latents, dictionary '{self.name}' has {self.d_sae}"
            )
        from protsae.sae.interchange.input_norm import TokenNormalisedSae

        with torch.no_grad():
            if isinstance(self.sae, TokenNormalisedSae):
                return self.sae.decode(codes, like=None if like is None else torch.as_tensor(like).to(*to))
            return self.sae.decode(codes)


def load_dictionary(source: str | Path | Release, *, layout: str = "auto", **choices: object) -> Dictionary:
    """Load a dictionary of any origin; see `api.load_sae`."""
    if isinstance(source, Release):
        return _of_release(source)
    path = Path(source)
    if layout == "auto":
        if source in SHIPPED or (path / RECORD_NAME).is_file():
            return _of_release(open_release(source))
        if not path.exists():
            raise InputError(
                f"{source} does not exist: give {', '.join(repr(name) for name in SHIPPED)}, the folder of a "
                "release, a checkpoint, or a folder or file of another library (docs/interchange.md)"
            )
        if (own := _own_checkpoint(path)) is not None:
            return Dictionary(own.load(), made_for(own))
    return _foreign(path, layout, choices)


def _of_release(release: Release) -> Dictionary:
    return Dictionary(release.load_sae(), release.record.made_for, release)


def _own_checkpoint(path: Path) -> SaeCheckpoint | None:
    """Return the checkpoint of this package that a file is, or that a folder holds."""
    if path.is_file():
        return SaeCheckpoint(path) if is_checkpoint(path) else None
    from protsae.sae.interchange.whole_module import read_whole_module

    return SaeCheckpoint(path / SAE_NAME) if is_checkpoint(path / SAE_NAME) else read_whole_module(path)


def _foreign(path: Path, layout: Any, choices: dict[str, object]) -> Dictionary:
    from protsae.sae.interchange import module_of, read_dictionary

    read = read_dictionary(path, layout, **choices)
    exported = read.metadata.get("config", {}).get("metadata", {}).get("protsae", {}).get("metadata", {})
    named = {key: exported[key] for key in ("hook_point", "model", "model_sha256") if exported.get(key)}
    known = MadeFor(name=path.name if path.is_dir() else path.stem, d_model=read.d_model, **named)
    return Dictionary(module_of(read), known, notes=read.notes)
