"""What label shuffles may show where every hypothesis is null."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.metrics.bootstrap import Interval

Floats = NDArray[np.float64]


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
