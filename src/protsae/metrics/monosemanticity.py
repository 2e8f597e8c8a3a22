"""MonoSemanticity: do the items on which a latent fires resemble each other more than any two items do?

The published score (arXiv 2504.02821) of a latent with activations a_i >= 0, scaled to 0 to 1, is the mean
similarity of two items weighted by both activations::

    raw = sum_{i<j} a_i a_j s_ij / sum_{i<j} a_i a_j

It rewards the judge: where any two items are alike by .9, a latent that fires at random scores .9. Permuting
a over the items leaves the denominator and gives every pair the same expected weight, so the expectation of a
latent without meaning is exactly the mean similarity b of all pairs. Reported is what lies above it::

    score = (raw - b) / (1 - b)

which is 0 at chance, 1 where all items that a latent fires on are alike, and negative where they are less
alike than any two.

Relatives resemble each other in everything. Items therefore come in groups (homology clusters): pairs within
a group are left out, and each group has one vote (the weight of its items sums to 1). With every item a
group of its own the formulas above hold as they stand.

Intervals and p-values come from leaving out one group at a time (delete-one jackknife), exactly: what a group
adds to both sums is known from the one pass that makes them. t has one degree of freedom less than the
effective number of groups. For activations drawn at random this is calibrated or, where all items are about
equally like the others, conservative.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 512  # items whose similarities with all others are held at once


@dataclass(frozen=True)
class Groups:
    """Which items belong together."""

    of_item: NDArray[np.int64]
    """Number of each item's group, 0 to n_groups - 1 [n_items]."""
    n_groups: int

    @classmethod
    def of(cls, names: Any) -> "Groups":
        """Number the distinct `names` of the items' groups [n_items]."""
        found, numbers = np.unique(np.asarray(names), return_inverse=True)
        return cls(numbers.astype(np.int64), len(found))

    @property
    def vote(self) -> Floats:
        """Weight of each item: one over the size of its group [n_items]."""
        return np.asarray(1.0 / np.bincount(self.of_item, minlength=self.n_groups)[self.of_item])

    def sums(self, values: NDArray[Any]) -> Floats:
        """Add up the items of each group: [n_items, n] to [n_groups, n]."""
        from scipy.sparse import csr_array

        n_items = len(self.of_item)
        member = csr_array((np.ones(n_items), (self.of_item, np.arange(n_items))), (self.n_groups, n_items))
        return np.asarray(member @ values, np.float64)


@dataclass(frozen=True)
class PairSums:
    """What each group adds to the sums over ordered pairs of items of different groups."""

    similarity: Floats
    """sum a_i a_j s_ij over i in the group and j in any other [n_groups, n_latents]."""
    weight: Floats
    """The same without s_ij."""


class Similarity(Protocol):
    """A similarity of items, symmetric and at most 1, from a source that is not the model under study."""

    @property
    def groups(self) -> Groups:
        """The items' groups."""

    def pair_sums(self, activations: Any) -> PairSums:
        """Sum over the pairs of all latents, `activations` being a CSC array >= 0 [n_items, n_latents]."""


@dataclass(frozen=True)
class InnerProducts:
    """Similarities that are inner products of vectors: linear in the number of items.

    The sum over pairs of different groups is ||V||^2 - sum_g ||v_g||^2, where v_g = sum a_i e_i over a group
    and V over all, so that no pair is ever looked at.
    """

    vectors: NDArray[np.floating[Any]]
    """One vector per item, of length at most 1 [n_items, d]."""
    groups: Groups

    def pair_sums(self, activations: Any) -> PairSums:
        """Sum latent by latent over the items where it is active."""
        from protsae.metrics.monosemanticity_kernels import inner_product_sums

        order = np.argsort(self.groups.of_item, kind="stable")
        group, vectors = self.groups.of_item[order], np.ascontiguousarray(self.vectors[order])
        weighted = _voted(activations, self.groups)[order].tocsc()
        weighted.sort_indices()
        similarity = np.zeros((self.groups.n_groups, weighted.shape[1]))
        arrays = weighted.indptr.astype(np.int64), weighted.indices.astype(np.int64), weighted.data
        inner_product_sums(*arrays, group, vectors, similarity)
        return PairSums(similarity, _weights(weighted, Groups(group, self.groups.n_groups)))


@dataclass(frozen=True)
class Blocks:
    """Any other similarity, some rows at a time: never more than 512 x n_items of it are held."""

    rows: Callable[[NDArray[np.int64]], NDArray[np.floating[Any]]]
    """Items [b] to their similarities with all items [b, n_items]; symmetric over all."""
    groups: Groups

    def pair_sums(self, activations: Any) -> PairSums:
        """Multiply blocks of similarities, 0 for pairs within groups, by the activations of all items."""
        sparse = _voted(activations, self.groups)
        weighted = sparse.toarray()
        of_item, n_groups = self.groups.of_item, self.groups.n_groups
        similarity = np.zeros((n_groups, weighted.shape[1]))
        for start in range(0, len(of_item), _BLOCK):
            items = np.arange(start, min(start + _BLOCK, len(of_item)))
            block = np.array(self.rows(items), np.float64)
            block[of_item[items][:, None] == of_item[None, :]] = 0.0
            similarity += Groups(of_item[items], n_groups).sums(weighted[items] * (block @ weighted))
        return PairSums(similarity, _weights(sparse, self.groups))


@dataclass(frozen=True)
class MonoSemanticity:
    """The scores of all latents under one judge; arrays [n_latents], NaN where a latent has no pairs."""

    n_active: NDArray[np.int64]
    """Items with an activation above the latent's least."""
    n_active_groups: NDArray[np.int64]
    """Groups that hold one."""
    n_effective: Floats
    """(sum of a group's votes)^2 / sum of their squares: over how many groups the activation is spread."""
    raw: Floats
    """The published score, over pairs of different groups."""
    background: float
    """Mean similarity of all such pairs."""
    score: Floats
    """(raw - background) / (1 - background)."""
    low: Floats
    high: Floats
    """Interval of `score`."""
    p_value: Floats
    """One-sided: of a score this high where activations know nothing of the similarity."""
    replicates: Floats
    """The score without each group in turn [n_groups, n_latents]: what `jackknife_error` of a mean needs."""


def scaled(activations: Any) -> Any:
    """Scale each latent to 0 to 1 by its least and largest value, as the published score does.

    Args:
        activations: dense or sparse [n_items, n_latents]. Codes of a dictionary that is silent on some item
            are only divided by their maximum.

    Returns:
        `scipy.sparse.csc_array` of float64; a latent that is constant is empty.
    """
    from scipy.sparse import csc_array, issparse

    if issparse(activations):
        columns = csc_array(activations, dtype=np.float64)
        least = columns.min(axis=0).toarray().ravel()
        if (least == 0).all():
            return _unit_columns(columns)
        activations = columns.toarray()
    values = np.asarray(activations, np.float64)
    return _unit_columns(csc_array(values - values.min(axis=0, initial=np.inf)))


def monosemanticity(activations: Any, judge: Similarity, confidence: float = 0.95) -> MonoSemanticity:
    """Score all latents under one judge.

    Args:
        activations: what `scaled` gives [n_items, n_latents].
        judge: the items' similarities and groups.
        confidence: share of the sampling distribution inside `low` to `high`.
    """
    from scipy.sparse import csc_array, hstack
    from scipy.stats import t

    groups, n_items = judge.groups, len(judge.groups.of_item)
    together = judge.pair_sums(hstack([activations, csc_array(np.ones((n_items, 1)))], format="csc"))
    sums, everyone = (
        PairSums(together.similarity[:, part], together.weight[:, part])
        for part in (slice(-1), slice(-1, None))
    )
    background, without = _leave_one_out(everyone)
    raw, raw_without = _leave_one_out(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = (raw - background) / (1 - background)
        replicates = (raw_without - without) / (1 - without)
        error = jackknife_error(replicates)
        counts = _active(activations, groups)
        freedom = np.maximum(counts[2] - 1, 1)
        reach = t.ppf((1 + confidence) / 2, freedom) * error
        p_value = t.sf(score / error, freedom)
    low, high = score - reach, score + reach
    return MonoSemanticity(*counts, raw, float(background[0]), score, low, high, p_value, replicates)


def jackknife_error(replicates: Floats) -> Floats:
    """Return the standard error of values from the same without each group in turn [n_groups, ...]."""
    n_groups = len(replicates)
    deviation = replicates - replicates.mean(axis=0)
    return np.asarray(np.sqrt((n_groups - 1) / n_groups * (deviation**2).sum(axis=0)))


def _leave_one_out(sums: PairSums) -> tuple[Floats, Floats]:
    """Return the ratio of both sums [n_latents], and without each group in turn [n_groups, n_latents].

    A pair of groups is counted from both ends, so that leaving out one takes its share away twice.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        above, below = sums.similarity.sum(axis=0), sums.weight.sum(axis=0)
        ratio = np.where(below > 0, above / below, np.nan)
        left = below - 2 * sums.weight
        without = np.where(left > 1e-12 * below, (above - 2 * sums.similarity) / left, np.nan)
    return ratio, without


def _active(activations: Any, groups: Groups) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return active items, active groups and the effective number of groups of each latent."""
    votes = _group_sums(_voted(activations, groups), groups)
    squares = (votes**2).sum(axis=0)
    spread = np.where(squares > 0, votes.sum(axis=0) ** 2 / np.where(squares > 0, squares, 1), 0.0)
    return np.diff(activations.indptr).astype(np.int64), (votes > 0).sum(axis=0), spread


def _voted(activations: Any, groups: Groups) -> Any:
    """Multiply the rows of a sparse array with the votes of their items."""
    from scipy.sparse import csc_array

    columns = csc_array(activations, dtype=np.float64, copy=True)
    columns.data *= groups.vote[columns.indices]
    return columns


def _weights(weighted: Any, groups: Groups) -> Floats:
    of_group = _group_sums(weighted, groups)
    found: Floats = of_group * (of_group.sum(axis=0) - of_group)
    return found


def _group_sums(weighted: Any, groups: Groups) -> Floats:
    """Add up the rows of each group of a CSC array: [n_groups, n_latents], dense."""
    n_latents = weighted.shape[1]
    latent = np.repeat(np.arange(n_latents), np.diff(weighted.indptr))
    place = groups.of_item[weighted.indices] * n_latents + latent
    flat = np.bincount(place, weights=weighted.data, minlength=groups.n_groups * n_latents)
    return np.asarray(flat.reshape(groups.n_groups, n_latents))


def _unit_columns(columns: Any) -> Any:
    """Divide each column by its largest value."""
    columns.eliminate_zeros()
    largest = columns.max(axis=0).toarray().ravel()
    columns.data /= np.repeat(largest, np.diff(columns.indptr))
    return columns
