"""Dictionaries to compare trained ones with, as sparse codes of residues."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.core.letters import AMINO_ACIDS, code_table
from protsae.encoding.batches import ProteinBatch
from protsae.encoding.reading import packed_codes
from protsae.metrics.association import ResidueCodes
from protsae.probing.baselines import unit_directions
from protsae.sae.base import SparseAutoencoder
from protsae.sae.kernels import encode_top_k

N_LETTERS = len(AMINO_ACIDS)
_PLACE = code_table(AMINO_ACIDS, -1)


@dataclass(frozen=True)
class Description:
    """A way to describe a residue by few active latents."""

    name: str
    """What the tables call it."""
    n_latents: int
    """Its width."""
    codes: Callable[[ProteinBatch, NDArray[np.uint8]], ResidueCodes]
    """From a batch and the character codes of its residues to their codes."""


def letter_places(letters: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of each standard amino acid, 0 to 19; -1 for any other letter."""
    return _PLACE[letters]


def of_autoencoder(name: str, sae: SparseAutoencoder) -> Description:
    """Return the latents of a sparse autoencoder that is not encoded by the pipeline."""

    def codes(batch: ProteinBatch, letters: NDArray[np.uint8]) -> ResidueCodes:
        found = sae.sparse_codes(batch.x)
        return packed_codes(found.values.numpy(), found.columns.numpy())

    return Description(name, sae.config.d_sae, codes)


def of_neurons(name: str, mean: Tensor) -> Description:
    """Return two latents per dimension: activations minus their mean over training residues [d_model], where
    they are positive, then the same with the sign reversed."""

    def codes(batch: ProteinBatch, letters: NDArray[np.uint8]) -> ResidueCodes:
        centred = batch.x - mean
        return ResidueCodes.of_dense(torch.cat([centred, -centred], dim=1).numpy())

    return Description(name, 2 * len(mean), codes)


def of_random_directions(mean: Tensor, n_directions: int, k: int, seed: int) -> Description:
    """Return projections of centred activations on random unit vectors; the k largest stay, where they are
    positive: an untrained TopK."""
    directions, bias = unit_directions(len(mean), n_directions, seed), torch.zeros(n_directions)

    def codes(batch: ProteinBatch, letters: NDArray[np.uint8]) -> ResidueCodes:
        found, _ = encode_top_k(batch.x - mean, directions, bias, k)
        return packed_codes(found.values.numpy(), found.columns.numpy())

    return Description("random_directions", n_directions, codes)


def of_windows(flank: int) -> Description:
    """Return one latent, 1 or 0, for each amino acid at each distance: what a linear filter on the sequence
    sees. Positions beyond the ends of the protein have none."""
    offsets = np.arange(-flank, flank + 1)

    def codes(batch: ProteinBatch, letters: NDArray[np.uint8]) -> ResidueCodes:
        places, ends = letter_places(letters), np.cumsum(batch.lengths)
        rows = np.arange(len(places))[:, None] + offsets
        begin, end = (np.repeat(of, batch.lengths)[:, None] for of in (ends - batch.lengths, ends))
        inside = (rows >= begin) & (rows < end)
        found = np.where(inside, places[np.clip(rows, 0, len(places) - 1)], -1)
        columns = found + N_LETTERS * np.arange(len(offsets))
        return packed_codes((found >= 0).astype(np.float32), columns)

    return Description("residue_windows", N_LETTERS * len(offsets), codes)
