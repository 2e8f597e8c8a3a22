"""A sample of residues, and what a dictionary's latents do on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.seeding import numpy_generator
from protsae.encoding.codes import CodeStore


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


def draw_sample(
    codes: CodeStore, lengths: Mapping[str, int], *, residues_per_protein: int, seed: int
) -> ResidueSample:
    """Draw residues of some proteins, whose lengths are given, with their codes.

    Raises:
        InputError: a protein is not stored whole.
    """
    from scipy.sparse import csr_array, vstack

    codes.require_whole(lengths)
    items: list[tuple[str, NDArray[np.int64]]] = []
    parts: list[Any] = []
    for names, part in codes.read(list(lengths)):
        start, rows = 0, np.zeros(len(part), dtype=bool)
        for name in names:
            positions = drawn_positions(name, lengths[name], residues_per_protein, seed)
            items.append((name, positions))
            rows[start + positions] = True
            start += lengths[name]
        kept = part.rows(rows)
        parts.append(csr_array((kept.values, kept.latents, kept.indptr), shape=(len(kept), codes.n_latents)))
    return ResidueSample(items, csr_array(vstack(parts)))
