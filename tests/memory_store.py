"""Activations in memory, for tests of what reads them."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace

import numpy as np


class MemoryStore:
    """Stands for an `ActivationStore` with one hook point.

    Args:
        proteins: protein id to activations [length, d_model], in stored order.
        hook_point: the only one that may be asked for.
    """

    def __init__(self, proteins: Mapping[str, np.ndarray], hook_point: str) -> None:
        self.proteins = proteins
        self.protein_ids = list(proteins)
        self.hook_point = hook_point

    def iter_proteins(self, hook_point: str, protein_ids=None) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the proteins asked for, in stored order."""
        assert hook_point == self.hook_point
        yield from ((p, x) for p, x in self.proteins.items() if protein_ids is None or p in protein_ids)

    def iter_residues(self, hook_point: str, protein_ids=None):
        """Yield them with the positions of their residues: all of them."""
        for name, block in self.iter_proteins(hook_point, protein_ids):
            yield name, np.arange(len(block)), block

    def statistics(self, hook_point, protein_ids):
        """Return something with the mean over the residues of some proteins."""
        blocks = [self.proteins[p].astype(np.float64) for p in protein_ids]
        return SimpleNamespace(mean=np.concatenate(blocks).mean(axis=0))
