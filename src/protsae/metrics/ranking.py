"""Exact ROC AUC and average precision of many concepts at once: ties, missing labels, protein weights.

Sorting is done once; a weight per protein (how often a resample drew it) then only changes cumulative sums.
That is what makes a bootstrap over hundreds of resamples cheap.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Ranking:
    """The order of proteins by score, per concept, ready to be weighted.

    Args:
        scores: [n_proteins, n_concepts], higher means more likely.
        labels: [n_proteins, n_concepts], true for positives.
        labelled: [n_proteins, n_concepts], false where a protein is left out for a concept; None: all count.

    Raises:
        ValueError: shapes differ, or a score is not a number.
    """

    def __init__(
        self, scores: NDArray[np.floating[Any]], labels: NDArray[Any], labelled: NDArray[Any] | None = None
    ) -> None:
        values = np.asarray(scores, dtype=np.float64)
        truth = np.asarray(labels, dtype=bool)
        counted = np.ones_like(truth) if labelled is None else np.asarray(labelled, dtype=bool)
        if not values.shape == truth.shape == counted.shape or values.ndim != 2:
            raise ValueError(
                f"scores {values.shape}, labels {truth.shape}, labelled {counted.shape} must be one 2-D shape"
            )
        if np.isnan(values).any():
            raise ValueError("scores hold values that are not numbers")
        n = len(values)
        self._order = np.argsort(values, axis=0, kind="stable")
        ordered = np.take_along_axis(values, self._order, axis=0)
        self._positive = np.take_along_axis(truth & counted, self._order, axis=0)
        self._negative = np.take_along_axis(~truth & counted, self._order, axis=0)
        opens = np.ones(ordered.shape, dtype=bool)
        opens[1:] = ordered[1:] != ordered[:-1]
        closes = np.ones(ordered.shape, dtype=bool)
        closes[:-1] = opens[1:]
        position = np.arange(n)[:, None]
        # First and last position of the group of equal scores that a position belongs to.
        self._first = np.maximum.accumulate(np.where(opens, position, 0), axis=0)
        self._last = np.minimum.accumulate(np.where(closes, position, max(n - 1, 0))[::-1], axis=0)[::-1]

    def roc_auc(self, weights: NDArray[Any] | None = None) -> Floats:
        """Return the area under the ROC curve per concept, ties counted half (mid-rank).

        Args:
            weights: [..., n_proteins] weights that are not negative; None: 1 each.

        Returns:
            [..., n_concepts]; NaN where a concept has no weighted positive or no weighted negative.
        """
        positive, negative = self._weighted(weights)
        below = self._running(negative, self._first, before=True)
        upto = self._running(negative, self._last, before=False)
        area = (positive * (below + upto)).sum(axis=-2) / 2
        return _ratio(area, positive.sum(axis=-2) * negative.sum(axis=-2))

    def average_precision(self, weights: NDArray[Any] | None = None) -> Floats:
        """Return average precision per concept: the sum over distinct scores of (recall step) x precision.

        Args:
            weights: [..., n_proteins] weights that are not negative; None: 1 each.

        Returns:
            [..., n_concepts]; NaN where a concept has no weighted positive or no weighted negative.
        """
        positive, negative = self._weighted(weights)
        n_positive = positive.sum(axis=-2, keepdims=True)
        n_all = n_positive + negative.sum(axis=-2, keepdims=True)
        true_above = n_positive - self._running(positive, self._first, before=True)
        all_above = n_all - self._running(positive + negative, self._first, before=True)
        precision = _ratio(true_above, all_above)
        total = np.where(positive > 0, positive * precision, 0.0).sum(axis=-2)
        both = np.where(n_all > n_positive, n_positive, 0.0).squeeze(-2)
        return _ratio(total, both)

    def _weighted(self, weights: NDArray[Any] | None) -> tuple[Floats, Floats]:
        """Weights of positives and of negatives in score order [..., n_proteins, n_concepts]."""
        if weights is None:
            return self._positive.astype(np.float64), self._negative.astype(np.float64)
        ordered = np.asarray(weights, dtype=np.float64)[..., self._order]
        return ordered * self._positive, ordered * self._negative

    @staticmethod
    def _running(weights: Floats, index: NDArray[np.intp], *, before: bool) -> Floats:
        """Sum of weights up to position `index`, itself included unless `before`."""
        total = np.cumsum(weights, axis=-2)
        if before:
            total = total - weights
        return np.take_along_axis(total, np.broadcast_to(index, total.shape), axis=-2)


def roc_auc(scores: NDArray[Any], labels: NDArray[Any], labelled: NDArray[Any] | None = None) -> Floats:
    """Return ROC AUC per concept [n_concepts]; see `Ranking`."""
    return Ranking(scores, labels, labelled).roc_auc()


def average_precision(
    scores: NDArray[Any], labels: NDArray[Any], labelled: NDArray[Any] | None = None
) -> Floats:
    """Return average precision per concept [n_concepts]; see `Ranking`."""
    return Ranking(scores, labels, labelled).average_precision()


def pairwise_auc(
    features: NDArray[Any], labels: NDArray[Any], labelled: NDArray[Any] | None = None
) -> Floats:
    """Return the ROC AUC of every feature as a score for every concept, ties counted half.

    By the rank-sum identity, AUC = (R - P (P + 1) / 2) / (P N) with R the sum of the positives' mid-ranks:
    one ranking serves all concepts that are labelled on the same proteins.

    Args:
        features: [n_proteins, n_features].
        labels: [n_proteins, n_concepts], true for positives.
        labelled: [n_proteins, n_concepts], false where a protein is left out for a concept; None: all count.

    Returns:
        [n_features, n_concepts]; NaN where a concept has one class only.
    """
    from scipy.stats import rankdata

    values, truth = np.asarray(features, dtype=np.float64), np.asarray(labels, dtype=bool)
    counted = np.ones_like(truth) if labelled is None else np.asarray(labelled, dtype=bool)
    if np.isnan(values).any():
        raise ValueError("features hold values that are not numbers")
    out = np.full((values.shape[1], truth.shape[1]), np.nan)
    masks, mask_of = np.unique(counted, axis=1, return_inverse=True)
    for g in range(masks.shape[1]):
        rows, concepts = masks[:, g], np.flatnonzero(mask_of.reshape(-1) == g)
        positive = truth[np.ix_(rows, concepts)].astype(np.float64)
        n_positive = positive.sum(axis=0)
        rank_sums = rankdata(values[rows], axis=0).T @ positive if rows.any() else 0.0
        excess = rank_sums - n_positive * (n_positive + 1) / 2
        out[:, concepts] = _ratio(excess, n_positive * (len(positive) - n_positive))
    return out


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; NaN where the denominator is 0."""
    out = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out
