"""What remains of any score once labels say nothing: the null that every method is held against."""

from collections.abc import Mapping, Sequence

from protsae.core.seeding import numpy_generator
from protsae.probing.splits import SplitLabels

LEARNT = ("train", "validation")
"""Splits that a method learns from: validation chooses strengths, latents and scales."""


def shuffle_labels(
    splits: Mapping[str, SplitLabels], seed: int, which: Sequence[str] = LEARNT
) -> dict[str, SplitLabels]:
    """Permute whole label vectors among the proteins of each split in `which`.

    Frequencies and co-occurrence of concepts stay, and which aspects a vector is labelled in; what is lost is
    whose vector it is.
    """
    found = dict(splits)
    for split in which:
        of = splits[split]
        purpose = ("shuffled_labels",) if split == "train" else ("shuffled_labels", split)
        order = numpy_generator(seed, *purpose).permutation(len(of.protein_ids))
        found[split] = SplitLabels(of.protein_ids, of.labels[order], of.labelled[order])
    return found
