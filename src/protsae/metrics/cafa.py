"""Protein-centric Fmax by the rules of CAFA (metric preset `cafa`)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PRESET = "cafa"
THRESHOLDS = np.arange(0.01, 1, 0.01)


@dataclass(frozen=True)
class Fmax:
    """The best point of the precision-recall curve over thresholds."""

    value: float
    """Fmax, 0 to 1; NaN where no protein has a true concept."""
    threshold: float
    """Smallest threshold at which it is reached."""
    precision: float
    """Precision there."""
    recall: float
    """Recall there."""
    n_proteins: int
    """Proteins with at least one true concept: those that count."""


class CafaCurves:
    """Precision and recall per protein and threshold, ready to be averaged with protein weights.

    A concept is predicted where its score is at least tau, tau in .01, .02, ... .99. Precision is averaged
    over the proteins with at least one prediction at tau, recall over all proteins with at least one true
    concept; the others are ignored. F = 2 P R / (P + R), and Fmax is its maximum over tau.

    Args:
        scores: [n_proteins, n_concepts], 0 to 1, already propagated to ancestors.
        labels: [n_proteins, n_concepts], true for positives, propagated.
        labelled: [n_proteins, n_concepts], false where a prediction must not be counted; None: all count.

    Raises:
        ValueError: a score lies outside 0 to 1.
    """

    def __init__(
        self, scores: NDArray[np.floating[Any]], labels: NDArray[Any], labelled: NDArray[Any] | None = None
    ) -> None:
        values = np.asarray(scores, dtype=np.float64)
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError("scores must lie between 0 and 1: calibrate them first")
        counted = np.ones(values.shape, dtype=bool) if labelled is None else np.asarray(labelled, dtype=bool)
        truth = np.asarray(labels, dtype=bool) & counted
        n_true = truth.sum(axis=1)
        self._counts = (n_true > 0).astype(np.float64)
        shape = (len(values), len(THRESHOLDS))
        self._precision, self._recall, self._predicted = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for t, threshold in enumerate(THRESHOLDS):
            called = (values >= threshold) & counted
            n_called, hits = called.sum(axis=1), (called & truth).sum(axis=1)
            self._precision[:, t] = hits / np.maximum(n_called, 1)
            self._recall[:, t] = hits / np.maximum(n_true, 1)
            self._predicted[:, t] = (n_called > 0) & (n_true > 0)

    def f_by_threshold(self, weights: NDArray[Any] | None = None) -> tuple[Floats, Floats, Floats]:
        """Return F, precision and recall [..., n_thresholds] with proteins weighted by `weights` [..., n]."""
        weight = self._counts if weights is None else np.asarray(weights, np.float64) * self._counts
        predicted = weight @ self._predicted
        precision = (weight @ (self._precision * self._predicted)) / np.maximum(predicted, 1e-12)
        recall = (weight @ self._recall) / np.maximum(weight.sum(axis=-1, keepdims=True), 1e-12)
        f = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        return f, precision, recall

    def fmax(self) -> Fmax:
        """Return Fmax with the threshold, precision and recall at which it is reached."""
        f, precision, recall = self.f_by_threshold()
        n = int(self._counts.sum())
        best = int(np.argmax(f))
        value = float(f[best]) if n else float("nan")
        return Fmax(value, float(THRESHOLDS[best]), float(precision[best]), float(recall[best]), n)

    def fmax_values(self, weights: NDArray[Any]) -> Floats:
        """Return Fmax [...] for protein weights [..., n_proteins], the threshold chosen anew each time."""
        best: Floats = self.f_by_threshold(weights)[0].max(axis=-1)
        counted = (np.asarray(weights, np.float64) @ self._counts) > 0
        return np.where(counted, best, np.nan)


def propagate_scores(
    scores: NDArray[np.floating[Any]], descendants: Iterable[Iterable[int]]
) -> NDArray[np.floating[Any]]:
    """Give every concept the maximum of its own score and those of its descendants.

    Args:
        scores: [n_proteins, n_concepts].
        descendants: per concept, the indices of all its descendants (a closure; itself may be among them).

    Returns:
        [n_proteins, n_concepts], never lower than `scores`.
    """
    out = np.array(scores, copy=True)
    for concept, below in enumerate(descendants):
        columns = [concept, *below]
        out[:, concept] = scores[:, columns].max(axis=1)
    return out
