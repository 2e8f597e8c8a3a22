"""Dictionaries to compare trained ones with, as sparse codes of residues."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.core.letters import AMINO_ACIDS, code_table
from protsae.core.seeding import torch_generator
from protsae.encoding.batches import ProteinBatch
from protsae.encoding.reading import packed_codes
from protsae.metrics.association import ResidueCodes
from protsae.sae.base import SparseAutoencoder
from protsae.sae.kernels import encode_top_k

N_LETTERS = len(AMINO_ACIDS)
_PLACE = code_table(AMINO_ACIDS, -1)


class Dictionary(Protocol):
    """A way to describe a residue by few active latents."""

    @property
    def name(self) -> str:
        """What the tables call it."""

    @property
    def n_latents(self) -> int:
        """Its width."""

    def codes(self, batch: ProteinBatch, letters: NDArray[np.uint8]) -> ResidueCodes:
        """Return the codes of a batch's residues, `letters` being their character codes."""


def letter_places(letters: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of each standard amino acid, 0 to 19; -1 for any other letter."""
    return _PLACE[letters]


@dataclass(frozen=True)
class Trained:
    """The latents of a sparse autoencoder that is not encoded by the pipeline."""

    name: str
    sae: SparseAutoencoder

    @property
    def n_latents(self) -> int:
        """Its width."""
        return self.sae.config.d_sae

    def codes(self, batch: ProteinBatch, letters: NDArray[np.uint8]) -> ResidueCodes:
        """Return what it encodes."""
        codes = self.sae.sparse_codes(batch.x)
        return packed_codes(codes.values.numpy(), codes.columns.numpy())


@dataclass(frozen=True)
class Neurons:
    """Activations less their mean over training residues: what lies above it, then what lies below."""

    name: str
    mean: Tensor
    """[d_model]."""

    @property
    def n_latents(self) -> int:
        """Two per dimension."""
        return 2 * len(self.mean)

    def codes(self, batch: ProteinBatch, letters: NDArray[np.uint8]) -> ResidueCodes:
        """Return every dimension by its sign."""
        centred = batch.x - self.mean
        return ResidueCodes.of_dense(torch.cat([centred, -centred], dim=1).numpy())


@dataclass(frozen=True)
class RandomDirections:
    """Projections on random unit vectors, of which the k largest stay: an untrained TopK."""

    name: str
    mean: Tensor
    directions: Tensor
    """[d_model, n_directions], unit columns."""
    k: int

    @classmethod
    def draw(cls, mean: Tensor, n_directions: int, k: int, seed: int) -> "RandomDirections":
        """Draw them."""
        generator = torch_generator(seed, "alignment", "directions")
        drawn = torch.randn(len(mean), n_directions, generator=generator)
        return cls("random_directions", mean, drawn / drawn.norm(dim=0), k)

    @property
    def n_latents(self) -> int:
        """Number of directions."""
        return self.directions.shape[1]

    def codes(self, batch: ProteinBatch, letters: NDArray[np.uint8]) -> ResidueCodes:
        """Return the largest projections, where they are positive."""
        bias = torch.zeros(self.n_latents)
        codes, _ = encode_top_k(batch.x - self.mean, self.directions, bias, self.k)
        return packed_codes(codes.values.numpy(), codes.columns.numpy())


@dataclass(frozen=True)
class Windows:
    """One latent for each amino acid at each distance: what a linear filter on the sequence sees."""

    flank: int
    name: str = "residue_windows"

    @property
    def n_latents(self) -> int:
        """Amino acids times positions."""
        return N_LETTERS * (2 * self.flank + 1)

    def codes(self, batch: ProteinBatch, letters: NDArray[np.uint8]) -> ResidueCodes:
        """Return ones; neighbours beyond the ends of the protein have none."""
        places = letter_places(letters)
        ends = np.cumsum(batch.lengths)
        protein = np.repeat(np.arange(len(ends)), batch.lengths)
        rows = np.arange(len(places))[:, None] + np.arange(-self.flank, self.flank + 1)
        inside = (rows >= (ends - batch.lengths)[protein, None]) & (rows < ends[protein, None])
        found = np.where(inside, places[np.clip(rows, 0, len(places) - 1)], -1)
        columns = found + N_LETTERS * np.arange(2 * self.flank + 1)
        return packed_codes((found >= 0).astype(np.float32), columns)
