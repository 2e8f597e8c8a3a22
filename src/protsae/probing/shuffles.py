"""Scores on shuffled labels: the null that every method is compared with."""

from collections.abc import Mapping, Sequence

from protsae.core.seeding import numpy_generator
from protsae.probing.splits import SplitLabels

LEARNT = ("train", "validation")
"""Splits that a method learns from: strengths, latents and scales are chosen on validation."""


def shuffle_labels(
    splits: Mapping[str, SplitLabels], seed: int, which: Sequence[str] = LEARNT
) -> dict[str, SplitLabels]:
    """Permute whole label vectors among the proteins of each split in `which`.

    Frequencies and co-occurrence of concepts stay the same, and so do the labelled aspects of a vector; only
    the assignment to proteins is lost.
    """
    found = dict(splits)
    for split in which:
        of = splits[split]
        purpose = ("shuffled_labels",) if split == "train" else ("shuffled_labels", split)
        order = numpy_generator(seed, *purpose).permutation(len(of.protein_ids))
        found[split] = SplitLabels(of.protein_ids, of.labels[order], of.labelled[order])
    return found
