"""Intervals by resampling homology clusters, so that relatives never count as independent evidence.

Average precision and F1 are biased in a resample: average precision upwards, because a positive that is drawn
twice has two neighbouring ranks. Their percentile intervals are shifted by that bias, and can leave out the
value itself. `interval` therefore takes the spread of their resamples alone (docs/decisions/0017).
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
IntervalKind = Literal["percentile", "normal"]


class Interval(NamedTuple):
    """An interval made from a bootstrap distribution."""

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


def normal_interval(value: float, samples: NDArray[np.floating[Any]], confidence: float = 0.95) -> Interval:
    """Return the value and, on both sides, its bootstrap standard error times the normal quantile.

    Where the resamples lie on average has no influence. NaN if fewer than two resamples have a value.
    """
    known = samples[~np.isnan(samples)]
    if len(known) < 2:
        return Interval(float("nan"), float("nan"))
    half = NormalDist().inv_cdf((1 + confidence) / 2) * float(known.std(ddof=1))
    return Interval(value - half, value + half)


def interval_kind(metric: str) -> IntervalKind:
    """Return which interval a metric has in every table, be it a value or a paired difference.

    `normal`: means over concepts of average precision (`aupr`) and of F1 (`residue_f1` and its like), also as
    differences from residue identity. `percentile`: everything else.
    """
    name = metric.removesuffix("_over_identity").removesuffix("_top")
    return "normal" if name in ("aupr", "f1") or name.endswith("_f1") else "percentile"


def interval(
    metric: str, value: float, samples: NDArray[np.floating[Any]], confidence: float = 0.95
) -> Interval:
    """Return the interval of a number that the tables show, of the kind that its metric has.

    Args:
        metric: name in the tables.
        value: what was measured.
        samples: the same in every resample of homology clusters [n_resamples], NaN where it has no value.
        confidence: share of the resamples, or of the normal distribution, inside.
    """
    if interval_kind(metric) == "normal":
        return normal_interval(value, samples, confidence)
    return percentile_interval(samples, confidence)
