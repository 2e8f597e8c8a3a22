"""Intervals by resampling homology clusters, so that relatives never count as independent evidence.

Average precision is biased upwards in a resample, where a positive that is drawn twice has two neighbouring
ranks: its percentile intervals are shifted upwards and can begin at the value itself. Differences between
methods are less affected, because both are shifted.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """A percentile interval of a bootstrap distribution."""

    low: float
    high: float


def cluster_weights(
    cluster_ids: Sequence[Any] | NDArray[Any], n_resamples: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw clusters with replacement, as many as there are, and count how often each protein comes along.

    Args:
        cluster_ids: the homology cluster of each protein [n_proteins].
        n_resamples: how many resamples.
        generator: source of the draws.

    Returns:
        [n_resamples, n_proteins] counts; the same weights serve every method, which makes differences paired.
    """
    _, cluster = np.unique(np.asarray(cluster_ids), return_inverse=True)
    n_clusters = int(cluster.max()) + 1
    drawn = generator.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=n_resamples)
    return drawn[:, cluster].astype(np.int64)


def macro_mean(values: NDArray[np.floating[Any]]) -> tuple[Floats, NDArray[np.int64]]:
    """Average over concepts (last axis), leaving out those that have no value.

    A concept of which a resample holds one class only has no AUC there (NaN): that resample's mean leaves
    it out.

    Returns:
        (means [...], number of concepts left out [...]); the mean is NaN where no concept is left.
    """
    known = ~np.isnan(values)
    n_known = known.sum(axis=-1)
    means = np.where(known, values, 0.0).sum(axis=-1) / np.maximum(n_known, 1)
    return np.where(n_known > 0, means, np.nan), values.shape[-1] - n_known


def percentile_interval(values: NDArray[np.floating[Any]], confidence: float = 0.95) -> Interval:
    """Return the central `confidence` interval of resampled values; NaN if all of them are missing."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))
