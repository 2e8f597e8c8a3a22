"""Which concept does a latent stand for? Thresholds chosen on validation, F1 reported on test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.splits import HELD_OUT, SELECTION_SPLITS, Selection
from protsae.interpretation.config import ThresholdConfig
from protsae.probing.splits import SplitLabels

Floats = NDArray[np.float64]
Pooled = Mapping[str, NDArray[np.floating[Any]]]
"""Split to latents of its proteins, pooled over residues [n_proteins, n_latents]."""


@dataclass(frozen=True)
class ThresholdScores:
    """How a latent's firing agrees with a concept, elementwise for any pairing of the two."""

    f1: Floats
    precision: Floats
    recall: Floats


@dataclass(frozen=True)
class Matches:
    """Every latent against every concept, at the threshold that validation prefers."""

    threshold: Floats
    """[n_latents, n_concepts]: a protein counts as firing where the latent, pooled, exceeds it."""
    validation: ThresholdScores
    """[n_latents, n_concepts], what the threshold was chosen by."""
    test: ThresholdScores
    """[n_latents, n_concepts], at the same threshold."""
    selection: Floats
    """F1 on the proteins that latents are chosen by [n_latents, n_concepts], at the same threshold."""
    always_on_validation: Floats
    """[n_concepts]: F1 on validation of a latent that always fires, 2 p / (1 + p) at prevalence p."""
    always_on: Floats
    """[n_concepts]: the same on test: the floor."""

    @property
    def margin(self) -> Floats:
        """F1 on validation above the floor there [n_latents, n_concepts]: what concepts are ranked by.

        Ranked by F1 alone, latents that fire nearly everywhere would all be matched with the commonest
        concepts.
        """
        return self.validation.f1 - self.always_on_validation


def threshold_grid(pooled: NDArray[np.floating[Any]], quantiles: tuple[float, ...]) -> Floats:
    """Return 0 and each latent's quantiles over proteins, ascending [n_thresholds, n_latents]."""
    values = np.asarray(pooled, dtype=np.float64)
    grid = np.concatenate([np.zeros((1, values.shape[1])), np.quantile(values, sorted(quantiles), axis=0)])
    return np.sort(grid, axis=0)


class FiringCounts:
    """The proteins of a split by how many of a latent's thresholds they exceed.

    Args:
        pooled: latents pooled over residues [n_proteins, n_latents].
        grid: thresholds, ascending [n_thresholds, n_latents].
        labels: labels of these proteins.
    """

    def __init__(self, pooled: NDArray[np.floating[Any]], grid: Floats, labels: SplitLabels) -> None:
        values = np.asarray(pooled, np.float64)
        levels = np.zeros(values.shape, np.uint8)
        for threshold in grid:
            levels += values > threshold
        masks, self._mask_of = np.unique(labels.labelled, axis=1, return_inverse=True)
        positive = labels.labels & labels.labelled
        self._n_positive = positive.sum(axis=0)
        self._hits = _by_level(levels, positive, len(grid))
        self._fired = _by_level(levels, masks, len(grid))

    def scores(self, level: int) -> ThresholdScores:
        """Score "has the concept where the latent exceeds its threshold number `level`".

        Returns:
            [n_latents, n_concepts] each; 0 where nothing fires or nothing is positive. Pairs that are not
            labelled do not count.
        """
        hits = self._hits[:, :, level + 1].T.astype(np.float64)
        fired = self._fired[self._mask_of.reshape(-1), :, level + 1].T.astype(np.float64)
        return ThresholdScores(
            f1=2 * hits / np.maximum(fired + self._n_positive, 1),
            precision=hits / np.maximum(fired, 1),
            recall=hits / np.maximum(self._n_positive, 1),
        )


def match_latents(
    pooled: Pooled,
    labels: Mapping[str, SplitLabels],
    config: ThresholdConfig,
    selection: Selection = "validation",
) -> Matches:
    """Choose a threshold for every pair of latent and concept on validation (the lowest on ties); apply it to
    the selection and to test.

    Args:
        pooled: split to the latents of its proteins, pooled over residues [n_proteins, n_latents].
        labels: split to the labels of its proteins.
        config: which thresholds are tried.
        selection: the splits by whose labels latents will be chosen.
    """
    grid = threshold_grid(pooled["validation"], config.quantiles)
    shape = (grid.shape[1], labels["test"].labels.shape[1])
    chosen, reported = ([np.full(shape, -1.0), np.zeros(shape), np.zeros(shape)] for _ in range(2))
    threshold, selected = np.zeros(shape), np.zeros(shape)
    on_validation, on_test = (FiringCounts(pooled[split], grid, labels[split]) for split in HELD_OUT)
    on_selection, names = on_validation, SELECTION_SPLITS[selection]
    if selection != "validation":
        values = np.concatenate([pooled[split] for split in names])
        on_selection = FiringCounts(values, grid, SplitLabels.joined(labels, names))
    for level, of_latent in enumerate(grid):
        seen = on_validation.scores(level)
        better = seen.f1 > chosen[0]
        threshold = np.where(better, of_latent[:, None], threshold)
        _take(chosen, seen, better)
        selected = np.where(better, on_selection.scores(level).f1, selected)
        _take(reported, on_test.scores(level), better)
    floors = (always_on_f1(labels[split]) for split in HELD_OUT)
    return Matches(threshold, ThresholdScores(*chosen), ThresholdScores(*reported), selected, *floors)


def always_on_f1(labels: SplitLabels) -> Floats:
    """Return the F1 per concept of a latent that fires on every protein [n_concepts]."""
    positive = (labels.labels & labels.labelled).sum(axis=0)
    floor: Floats = 2 * positive / np.maximum(labels.labelled.sum(axis=0) + positive, 1)
    return floor


def rank_concepts(matches: Matches) -> NDArray[np.int64]:
    """Return each latent's concepts from the largest margin down [n_latents, n_concepts]; ties by index."""
    return np.argsort(-matches.margin, axis=1, kind="stable")


def best_concepts(matches: Matches) -> NDArray[np.int64]:
    """Return the column of each latent's best concept [n_latents]; -1 where there are no concepts."""
    n_latents, n_concepts = matches.margin.shape
    return rank_concepts(matches)[:, 0] if n_concepts else np.full(n_latents, -1)


def _by_level(levels: NDArray[np.uint8], member: NDArray[np.bool_], n_thresholds: int) -> NDArray[np.int32]:
    """Return the proteins of each column of `member` at or above each level of each latent
    [n_columns, n_latents, n_thresholds + 1]."""
    from protsae.interpretation.kernels import count_levels

    counts = np.zeros((member.shape[1], levels.shape[1], n_thresholds + 1), np.int32)
    protein, column = np.nonzero(member)
    indptr = np.searchsorted(protein, np.arange(len(member) + 1))
    count_levels(levels, indptr, column, counts)
    return np.flip(np.cumsum(np.flip(counts, axis=2), axis=2, dtype=np.int32), axis=2)


def _take(parts: list[Floats], found: ThresholdScores, where: NDArray[np.bool_]) -> None:
    """Overwrite the kept scores where the new threshold is better."""
    for kept, new in zip(parts, (found.f1, found.precision, found.recall), strict=True):
        kept[where] = new[where]
