"""From judged designs to one number per arm: target gain, isolation, naturalness, and their harmonic mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.metrics.bootstrap import percentile_interval

Floats = NDArray[np.float64]
_POWER = 0.8


@dataclass(frozen=True)
class Judged:
    """What judges say of the designs of one arm, protein by protein [n_proteins]; NaN for proteins that were
    not steered."""

    hit: Floats
    """Score for the target, from 0 to 1."""
    isolation: Floats
    """How far everything else is unmoved, from 0 to 1."""
    naturalness: Floats
    """From 0 to 1, see `naturalness`."""


def naturalness(perplexities: Floats, natural: Floats) -> Floats:
    """Return twice the share of natural sequences that are at least as surprising, at most 1.

    A design is fully natural where it surprises the judge no more than half of the natural sequences do, and
    not at all where it surprises more than all.

    Args:
        perplexities: of designs [n].
        natural: of natural sequences that the judge was not trained on [n_natural].
    """
    below = np.searchsorted(np.sort(natural), perplexities, side="left")
    found: Floats = np.minimum(1.0, 2 * (1 - below / len(natural)))
    return found


def harmonic_mean(*parts: Floats | float) -> Floats:
    """Return the harmonic mean of parts from 0 to 1; 0 where one of them is 0."""
    values = np.stack(np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in parts)))
    with np.errstate(divide="ignore"):
        found: Floats = len(values) / (1 / np.maximum(values, 0.0)).sum(axis=0)
    return found


def scores(judged: Judged, unsteered: Judged, weights: NDArray[Any] | None = None) -> dict[str, Floats]:
    """Return `hit`, `gain`, `isolation`, `naturalness` and `score`, means over proteins; with weights one per
    resample.

    `gain` is (hit - unsteered hit) / (1 - unsteered hit), from 0 to 1: which share of the proteins that the
    model does not give the concept by itself gets it. `isolation` is likewise relative to the unsteered
    model, at most
    1: what its rewriting of masked residues changes is no fault of steering. `score` is the harmonic mean of
    the three.

    Args:
        judged: of the arm.
        unsteered: of the same proteins with the same masks.
        weights: how often each protein counts [n_resamples, n_proteins]; None: once.
    """
    w = np.ones((1, len(judged.hit))) if weights is None else np.asarray(weights, dtype=np.float64)
    own = {name: _mean(getattr(judged, name), w) for name in ("hit", "isolation", "naturalness")}
    base = {name: _mean(getattr(unsteered, name), w) for name in ("hit", "isolation")}
    left = 1 - base["hit"]
    gain = np.divide(own["hit"] - base["hit"], left, out=np.zeros_like(left), where=left > 0)
    gain = np.clip(gain, 0.0, 1.0)
    kept = np.divide(own["isolation"], base["isolation"], out=np.ones_like(left), where=base["isolation"] > 0)
    found = {
        "hit": own["hit"],
        "gain": gain,
        "isolation": np.minimum(kept, 1.0),
        "naturalness": own["naturalness"],
    }
    found["score"] = harmonic_mean(gain, found["isolation"], found["naturalness"])
    return {name: values[0] if weights is None else values for name, values in found.items()}


def smallest_difference(samples: Floats, confidence: float = 0.95) -> float:
    """Return the smallest true difference that this design detects with 80 % power: the standard error times
    the sum of the two normal quantiles.

    Args:
        samples: the difference in every resample of clusters [n_resamples].
        confidence: of the two-sided test.
    """
    normal = NormalDist()
    quantiles = normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(_POWER)
    return quantiles * float(np.nanstd(samples, ddof=1))


def with_interval(values: Mapping[str, Floats], samples: Mapping[str, Floats]) -> dict[str, float]:
    """Return every value with the bounds of its interval, as `<name>`, `<name>_low`, `<name>_high`."""
    found: dict[str, float] = {}
    for name, value in values.items():
        low, high = percentile_interval(samples[name])
        found |= {name: float(value), f"{name}_low": low, f"{name}_high": high}
    return found


def _mean(values: Floats, weights: Floats) -> Floats:
    known = ~np.isnan(values)
    total = weights[:, known].sum(axis=1)
    sums = weights[:, known] @ values[known]
    found: Floats = np.divide(sums, total, out=np.full_like(sums, np.nan), where=total > 0)
    return found
