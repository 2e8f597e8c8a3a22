"""Exact ROC AUC and average precision of many concepts at once: ties, missing labels, protein weights.

Sorting is done once; a weight per protein (how often a resample drew it) then only changes running sums,
which one walk down the ranking keeps for all resamples: that makes a bootstrap over hundreds of them cheap.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_BLOCK = 512


class Ranking:
    """Entries of each list by falling score, ready to be weighted.

    Args:
        scores: [n, n_concepts], higher means more likely.
        labels: [n, n_concepts], true for positives.
        labelled: [n, n_concepts], false where a row is left out for a concept; None: all count.
        owner: which weight belongs to each row [n], where rows are not proteins but parts of them; None: its
            own.

    Raises:
        ValueError: shapes differ, or a score is not a number.
    """

    def __init__(
        self,
        scores: NDArray[np.floating[Any]],
        labels: NDArray[Any],
        labelled: NDArray[Any] | None = None,
        owner: NDArray[Any] | None = None,
    ) -> None:
        values, truth, counted = _checked(scores, labels, labelled)
        rows = np.arange(len(values), dtype=np.int32) if owner is None else np.asarray(owner, np.int32)
        self._n_owners = int(rows.max(initial=-1)) + 1
        self._lists = [
            _List.of(values[keep, j], truth[keep, j], rows[keep])
            for j, keep in enumerate(counted.T)  # by concept, so that a list is as short as it can be
        ]

    @classmethod
    def pooled(
        cls, scores: NDArray[np.floating[Any]], labels: NDArray[Any], labelled: NDArray[Any] | None = None
    ) -> "Ranking":
        """Rank all pairs of protein and concept in one list: what micro averages are made of."""
        values, truth, counted = _checked(scores, labels, labelled)
        ranking = cls.__new__(cls)
        ranking._n_owners = len(values)
        owner = np.repeat(np.arange(len(values), dtype=np.int32), counted.sum(axis=1))
        ranking._lists = [_List.of(values[counted], truth[counted], owner)]
        return ranking

    def areas(self, weights: NDArray[Any] | None = None) -> tuple[Floats, Floats]:
        """Return `roc_auc` and `average_precision` from one walk down the lists."""
        from protsae.metrics.kernels import rank_sums

        given = np.ones(self._n_owners) if weights is None else np.asarray(weights)
        resamples = _compact(given.reshape(int(np.prod(given.shape[:-1])), given.shape[-1]).T)
        shape = (len(self._lists), resamples.shape[1])
        area, precision, n_positive, n_negative = (np.zeros(shape) for _ in range(4))
        for j, entries in enumerate(self._lists):
            outputs = area[j], precision[j], n_positive[j], n_negative[j]
            rank_sums(entries.owner, entries.positive, entries.closes, resamples, *outputs)
        pairs = n_positive * n_negative
        auc = 1 - _ratio(area, pairs)
        average = _ratio(precision, np.where(pairs > 0, n_positive, 0.0))
        shape = (*given.shape[:-1], len(self._lists))
        return auc.T.reshape(shape), average.T.reshape(shape)

    def roc_auc(self, weights: NDArray[Any] | None = None) -> Floats:
        """Return the area under the ROC curve per list, ties counted half (mid-rank).

        Args:
            weights: [..., n_owners] weights that are not negative; None: 1 each.

        Returns:
            [..., n_concepts]; NaN where a list has no weighted positive or no weighted negative.
        """
        return self.areas(weights)[0]

    def average_precision(self, weights: NDArray[Any] | None = None) -> Floats:
        """Return average precision per list: the sum over distinct scores of (recall step) x precision.

        Args:
            weights: [..., n_owners] weights that are not negative; None: 1 each.

        Returns:
            [..., n_concepts]; NaN where a list has no weighted positive or no weighted negative.
        """
        return self.areas(weights)[1]


class _List(NamedTuple):
    """Entries by falling score."""

    owner: NDArray[np.int32]
    positive: Bools
    closes: Bools
    """Whether the next entry has another score."""

    @classmethod
    def of(cls, values: Floats, positive: Bools, owner: NDArray[np.int32]) -> "_List":
        order = np.argsort(values)[::-1]
        ordered = values[order]
        closes = np.ones(len(order), dtype=bool)
        closes[:-1] = ordered[1:] != ordered[:-1]
        return cls(owner[order], positive[order], closes)


def _checked(
    scores: NDArray[np.floating[Any]], labels: NDArray[Any], labelled: NDArray[Any] | None
) -> tuple[Floats, Bools, Bools]:
    values = np.asarray(scores, dtype=np.float64)
    truth = np.asarray(labels, dtype=bool)
    counted = np.ones_like(truth) if labelled is None else np.asarray(labelled, dtype=bool)
    if not values.shape == truth.shape == counted.shape or values.ndim != 2:
        raise ValueError(
            f"scores {values.shape}, labels {truth.shape}, labelled {counted.shape} must be one 2-D shape"
        )
    if np.isnan(values).any():
        raise ValueError("scores hold values that are not numbers")
    return values, truth, counted


def _compact(weights: NDArray[Any]) -> NDArray[Any]:
    """Return weights [n_owners, n_resamples] in rows, counts as small integers: memory is what takes time."""
    small = np.issubdtype(weights.dtype, np.integer) and weights.max(initial=0) < 2**16
    return np.ascontiguousarray(weights, dtype=np.uint16 if small else np.float64)


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
        pairs = n_positive * (len(positive) - n_positive)
        for first in range(0, len(out) if rows.any() else 0, _BLOCK):  # bounds memory
            block = slice(first, first + _BLOCK)
            rank_sums = rankdata(values[rows, block], axis=0).T @ positive
            out[block, concepts] = _ratio(rank_sums - n_positive * (n_positive + 1) / 2, pairs)
    return out


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; NaN where the denominator is 0."""
    out = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out
