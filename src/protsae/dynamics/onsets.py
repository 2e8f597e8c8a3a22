"""The step at which a curve leaves its level.

Steps are compared on a logarithmic axis: snapshots are spaced that way. Two estimators are given.
`acceleration` is the break point of Chen et al. (2024, arXiv 2309.07311), the largest second difference.
`hinge` is the bend of two lines that meet, fitted to the curve up to the end of its rise. An onset is only
reported where the curve changes beyond its noise and the bend explains it better than a straight line does.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protsae.dynamics.config import OnsetConfig

Floats = NDArray[np.float64]
MIN_POINTS = 5
"""Points up to the end of the rise: a line has two parameters, a bend four."""


@dataclass(frozen=True)
class Onset:
    """Where a curve bends, or why it does not."""

    hinge: float
    """Step of the bend of two lines, between snapshots where they meet there; NaN: none."""
    acceleration: float
    """Snapshot of the largest second difference; NaN: none."""
    change: float
    """Largest departure from the first value, with its sign."""
    noise: float
    """Standard deviation of what is no trend."""
    evidence: float
    """Of a bend against a straight line: difference of the Bayesian information criterion; NaN: not asked."""
    reason: str
    """Why there is no onset; empty: there is one."""


def find_onset(steps: Floats, values: Floats, config: OnsetConfig) -> Onset:
    """Find the onset of one curve.

    Args:
        steps: of the snapshots, positive and ascending [n].
        values: what was measured there [n]; NaN is left out.
        config: what counts.
    """
    known = np.isfinite(values)
    x, y = np.log10(np.asarray(steps, np.float64)[known]), np.asarray(values, np.float64)[known]
    if len(x) < MIN_POINTS:
        return _none(f"only {len(x)} values", math.nan, math.nan)
    noise = _noise(y)
    smooth = _median_of_three(y)
    away = smooth - smooth[0]
    change = float(away[np.argmax(np.abs(away))])
    if abs(change) <= config.min_change * noise or abs(change) <= 1e-12 * float(np.abs(y).max()):
        return _none("no change beyond its noise", change, noise)
    rise = away * math.copysign(1.0, change) / abs(change)
    end = int(np.argmax(rise >= config.until)) + 1
    if end < MIN_POINTS:
        return _none(f"over by snapshot {end}: too early to see it begin", change, noise)
    risen = (y[:end] - smooth[0]) / change
    bend, evidence, is_upwards = _hinge(x[:end], risen)
    if evidence < config.min_evidence:
        return _none("a straight line explains it", change, noise, evidence)
    if not is_upwards:
        return _none("it slows down from the start", change, noise, evidence)
    fastest = float(np.asarray(steps, np.float64)[known][_largest_acceleration(x[:end], rise[:end])])
    return Onset(10**bend, fastest, change, noise, evidence, "")


def _none(reason: str, change: float, noise: float, evidence: float = math.nan) -> Onset:
    return Onset(math.nan, math.nan, change, noise, evidence, reason)


def _noise(y: Floats) -> float:
    """Return the standard deviation of white noise on a smooth curve, from its third differences.

    The median of their absolute values, so that a few bends and jumps do not count as noise.
    """
    third = np.diff(y, 3)
    return float(np.median(np.abs(third)) / 0.6745 / math.sqrt(20)) if len(third) else 0.0


def _median_of_three(y: Floats) -> Floats:
    """Return running medians of three values; both ends stay as they are."""
    inner = np.median(np.stack([y[:-2], y[1:-1], y[2:]]), axis=0)
    smooth: Floats = np.concatenate([y[:1], inner, y[-1:]])
    return smooth


def _largest_acceleration(x: Floats, y: Floats) -> int:
    """Return the inner point of the largest divided second difference."""
    slopes = np.diff(y) / np.diff(x)
    return int(np.argmax(np.diff(slopes) / (x[2:] - x[:-2]))) + 1


def _hinge(x: Floats, y: Floats) -> tuple[float, float, bool]:
    """Fit two lines that meet, at every candidate, against one line.

    Candidates are the inner points and nine places between each two neighbours.

    Returns:
        (place of the bend, how much the information criterion prefers it, whether the slope grows there).
    """
    n = len(x)
    fine = np.interp(np.arange(10, 10 * (n - 2) + 1) / 10, np.arange(n), x)
    line = _squares(np.stack([np.ones(n), x], axis=1), y)[0]
    fits = [_squares(np.stack([np.ones(n), x, np.maximum(x - place, 0)], axis=1), y) for place in fine]
    best = int(np.argmin([squares for squares, _ in fits]))
    squares, weights = fits[best]
    floor = n * 1e-8  # in units of the whole change: what lies below is rounding
    evidence = n * math.log((line + floor) / (squares + floor)) - 2 * math.log(n)
    return float(fine[best]), evidence, bool(weights[2] > 0)


def _squares(design: Floats, y: Floats) -> tuple[float, Floats]:
    weights = np.asarray(np.linalg.lstsq(design, y, rcond=None)[0], dtype=np.float64)
    return float(np.square(y - design @ weights).sum()), weights
