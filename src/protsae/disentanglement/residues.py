"""A sample of residues, and what a dictionary's latents do on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator
from protsae.probing.batches import ProteinSource, protein_batches
from protsae.sae.base import SparseAutoencoder

_PER_BATCH = 8192


@dataclass(frozen=True)
class ResidueSample:
    """Activations of some residues of each protein."""

    items: list[tuple[str, NDArray[np.int64]]]
    """Protein id and 0-based positions, ascending, of its residues."""
    activations: Any
    """`scipy.sparse.csr_array` [n_residues, d_sae], in the order of `items`."""

    @property
    def protein_ids(self) -> NDArray[Any]:
        """The protein of each residue [n_residues]."""
        names = np.array([protein_id for protein_id, _ in self.items], dtype=object)
        return np.repeat(names, [len(positions) for _, positions in self.items])


def drawn_positions(protein_id: str, length: int, n: int, seed: int) -> NDArray[np.int64]:
    """Return `n` positions of a protein, all where it has no more: the same whatever the dictionary."""
    if length <= n:
        return np.arange(length)
    generator = numpy_generator(seed, "monosemanticity", protein_id)
    return np.sort(generator.choice(length, n, replace=False)).astype(np.int64)


@torch.inference_mode()
def encode_sample(
    source: ProteinSource,
    sae: SparseAutoencoder,
    hook_point: str,
    sequences: Mapping[str, str],
    *,
    residues_per_protein: int,
    seed: int,
) -> ResidueSample:
    """Encode the drawn residues of the proteins of `sequences`.

    Raises:
        InputError: a protein's sequence is not as long as its activations.
    """
    from scipy.sparse import csr_array, vstack

    items: list[tuple[str, NDArray[np.int64]]] = []
    parts: list[Any] = []
    for batch in protein_batches(source, hook_point, dict.fromkeys(sequences, "all"), _PER_BATCH):
        rows, start = [], 0
        for protein_id, length in zip(batch.protein_ids, batch.lengths, strict=True):
            _check_length(protein_id, len(sequences[protein_id]), length)
            positions = drawn_positions(protein_id, length, residues_per_protein, seed)
            items.append((protein_id, positions))
            rows.append(start + positions)
            start += length
        parts.append(csr_array(sae.encode(batch.x[np.concatenate(rows)]).numpy()))
    return ResidueSample(items, csr_array(vstack(parts)))


def _check_length(protein_id: str, n_residues: int, n_stored: int) -> None:
    if n_residues != n_stored:
        raise InputError(
            f"{protein_id} has {n_residues} residues but activations of {n_stored}: windows "
            "around residues need all of them; extract again, with residues_per_protein null and "
            "long_sequences window or full"
        )
