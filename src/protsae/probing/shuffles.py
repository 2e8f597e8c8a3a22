"""What remains of any score once labels say nothing: the null that every method is held against."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.seeding import numpy_generator
from protsae.metrics.bootstrap import Interval
from protsae.probing.splits import SplitLabels

Floats = NDArray[np.float64]

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


def family_interval(values: Sequence[float] | Floats, n_methods: int, confidence: float = 0.95) -> Interval:
    """Return the interval of a mean over shuffles, wide enough for `n_methods` methods at once.

    Student's t at 1 - (1 - confidence) / n_methods (Bonferroni): if no method learns from shuffled labels,
    all their intervals contain .5 together with at least this confidence.
    """
    from scipy.stats import t

    found = np.asarray(values, np.float64)
    mean, spread = float(found.mean()), float(found.std(ddof=1))
    tail = (1 - confidence) / (2 * n_methods)
    half = float(t.ppf(1 - tail, len(found) - 1)) * spread / np.sqrt(len(found))
    return Interval(mean - half, mean + half)


def firing_p_values(
    fires: NDArray[np.bool_], labels: NDArray[np.bool_], labelled: NDArray[np.bool_]
) -> Floats:
    """Return the chance of at least as many firing positives, for pairs of latent and concept [n_pairs].

    Hypergeometric: exact where label vectors are exchangeable among labelled proteins, as after a shuffle.

    Args:
        fires: whether the latent of each pair fires [n_proteins, n_pairs].
        labels: the concept of each pair [n_proteins, n_pairs].
        labelled: [n_proteins, n_pairs], false where a protein does not count.
    """
    from scipy.stats import hypergeom

    fired, true = fires & labelled, labels & labelled
    hits: NDArray[Any] = (fired & true).sum(axis=0)
    counts = labelled.sum(axis=0), true.sum(axis=0), fired.sum(axis=0)
    p_values: Floats = np.asarray(hypergeom.sf(hits - 1, *counts), np.float64)
    return p_values


def most_false(n_families: int, rate: float, risk: float = 0.001) -> int:
    """Return how many of `n_families` may hold a rejection where every hypothesis is null.

    Benjamini and Hochberg's procedure at `rate` then rejects anything in a family with a chance of at most
    `rate`: more families than this have rejections with a chance below `risk`.
    """
    from scipy.stats import binom

    return int(binom.ppf(1 - risk, n_families, rate))
