"""Scores of any kind to probabilities: Platt scaling per concept, fitted on validation proteins.

CAFA's Fmax compares scores of different concepts with one threshold, so that latents, logits and
probabilities must share a scale. Every method gets the same mapping. It never reverses an order: a concept
whose score is negatively related to it on validation gets the constant rate instead.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MAX_STEPS = 100
_RIDGE = 1e-9


@dataclass(frozen=True)
class Calibration:
    """p = sigmoid(slope x (score - centre) / scale + intercept), each [n_concepts], slope not negative."""

    centre: Floats
    scale: Floats
    slope: Floats
    intercept: Floats

    def probabilities(self, scores: NDArray[np.floating[Any]]) -> Floats:
        """Return probabilities [n, n_concepts], increasing in the scores."""
        logits = self.slope * (np.asarray(scores, np.float64) - self.centre) / self.scale + self.intercept
        return np.exp(-np.logaddexp(0, -logits))


def fit_calibration(
    scores: NDArray[np.floating[Any]], labels: NDArray[np.bool_], labelled: NDArray[np.bool_]
) -> Calibration:
    """Fit Platt's sigmoid to every concept at once.

    Targets are smoothed as by Platt (1999): (P + 1) / (P + 2) for the P positives, 1 / (N + 2) for the N
    negatives, so that separable concepts have a finite optimum. Newton's method with step halving on two
    parameters per concept.

    Args:
        scores: validation scores [n, n_concepts].
        labels: [n, n_concepts], true for positives.
        labelled: [n, n_concepts], false where a protein does not count for a concept.
    """
    weight = np.asarray(labelled, np.float64)
    n_labelled = np.maximum(weight.sum(axis=0), 1)
    positive = np.asarray(labels, bool) & np.asarray(labelled, bool)
    n_positive = positive.sum(axis=0)
    target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_labelled - n_positive + 2))
    values = np.asarray(scores, np.float64)
    centre = (weight * values).sum(axis=0) / n_labelled
    spread = np.sqrt((weight * np.square(values - centre)).sum(axis=0) / n_labelled)
    scale = np.where(spread > 1e-12 * np.maximum(1.0, np.abs(centre)), spread, 1.0)
    rate = (weight * target).sum(axis=0) / n_labelled
    base = np.log(np.clip(rate, 1e-6, 1 - 1e-6) / (1 - np.clip(rate, 1e-6, 1 - 1e-6)))
    slope, intercept = _newton((values - centre) / scale, target, weight, base)
    rising = slope > 0
    return Calibration(centre, scale, np.where(rising, slope, 0.0), np.where(rising, intercept, base))


def _newton(z: Floats, target: Floats, weight: Floats, base: Floats) -> tuple[Floats, Floats]:
    """Minimise the weighted cross-entropy per column over (slope, intercept), from (0, base)."""
    slope, intercept = np.zeros_like(base), base.copy()

    def loss(a: Floats, b: Floats) -> Floats:
        logits = a * z + b
        total: Floats = (weight * (np.logaddexp(0, logits) - target * logits)).sum(axis=0)
        return total

    current = loss(slope, intercept)
    for _ in range(_MAX_STEPS):
        probability = np.exp(-np.logaddexp(0, -(slope * z + intercept)))
        error, curvature = weight * (probability - target), weight * probability * (1 - probability)
        gradient_a, gradient_b = (error * z).sum(axis=0), error.sum(axis=0)
        h_aa = (curvature * z * z).sum(axis=0) + _RIDGE
        h_ab, h_bb = (curvature * z).sum(axis=0), curvature.sum(axis=0) + _RIDGE
        determinant = h_aa * h_bb - h_ab**2
        step_a = (h_bb * gradient_a - h_ab * gradient_b) / determinant
        step_b = (h_aa * gradient_b - h_ab * gradient_a) / determinant
        size = np.ones_like(base)
        for _ in range(30):
            proposed = loss(slope - size * step_a, intercept - size * step_b)
            worse = proposed > current + 1e-12
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        slope, intercept, current = slope - size * step_a, intercept - size * step_b, proposed
        if max(np.abs(size * step_a).max(), np.abs(size * step_b).max()) < 1e-10:
            break
    return slope, intercept
