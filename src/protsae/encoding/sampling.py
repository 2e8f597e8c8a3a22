"""A bounded sample of proteins, the same for everything that draws it with one seed."""

from collections.abc import Mapping, Sequence

import numpy as np

from protsae.core.seeding import numpy_generator


def sampled_proteins(
    protein_ids: Sequence[str], lengths: Mapping[str, int], max_residues: int, seed: int, split: str
) -> frozenset[str]:
    """Draw whole proteins until their residues are as many as `max_residues`.

    A smaller sample is part of every larger one of the same seed.

    Args:
        protein_ids: the proteins of a split, sorted.
        lengths: residues of each protein.
        max_residues: the protein that reaches this number is the last.
        seed: of the order.
        split: name of the split; every split has an order of its own.
    """
    order = numpy_generator(seed, "k_sparse", split).permutation(len(protein_ids))
    before = np.cumsum([0, *(lengths[protein_ids[i]] for i in order)])[:-1]
    return frozenset(protein_ids[i] for i in order[before < max_residues])
