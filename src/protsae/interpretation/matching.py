"""Which concept does a latent stand for? Thresholds and concepts chosen on validation, F1 reported on
test."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.interpretation.config import MatchingConfig
from protsae.probing.splits import SplitLabels

Floats = NDArray[np.float64]


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
    """Return thresholds per latent: 0 and its quantiles over proteins [n_thresholds, n_latents]."""
    values = np.asarray(pooled, dtype=np.float64)
    return np.concatenate([np.zeros((1, values.shape[1])), np.quantile(values, sorted(quantiles), axis=0)])


def scores_at(
    pooled: NDArray[np.floating[Any]],
    thresholds: Floats,
    labels: NDArray[np.bool_],
    labelled: NDArray[np.bool_],
) -> ThresholdScores:
    """Score the rule "has the concept where the pooled latent exceeds the threshold", for one threshold a
    latent.

    Args:
        pooled: latents pooled over residues [n_proteins, n_latents].
        thresholds: [n_latents].
        labels: [n_proteins, n_concepts].
        labelled: [n_proteins, n_concepts]; pairs that are not labelled do not count.

    Returns:
        Scores [n_latents, n_concepts]; 0 where nothing fires or nothing is positive.
    """
    fires = (np.asarray(pooled, np.float64) > thresholds).astype(np.float32)
    true = (labels & labelled).astype(np.float32)
    return _ratios(fires.T @ true, fires.T @ labelled.astype(np.float32), true.sum(axis=0))


def match_latents(
    validation_pooled: NDArray[np.floating[Any]],
    test_pooled: NDArray[np.floating[Any]],
    validation: SplitLabels,
    test: SplitLabels,
    config: MatchingConfig,
) -> Matches:
    """Choose a threshold for every pair of latent and concept on validation (the lowest on ties); apply it to
    test.

    Args:
        validation_pooled: latents of validation proteins, pooled over residues [n, n_latents].
        test_pooled: the same for test proteins.
        validation: labels of the validation proteins.
        test: labels of the test proteins.
        config: which thresholds are tried.
    """
    grid = threshold_grid(validation_pooled, config.quantiles)
    shape = (validation_pooled.shape[1], test.labels.shape[1])
    parts = {
        name: [np.full(shape, -1.0), np.zeros(shape), np.zeros(shape)] for name in ("validation", "test")
    }
    threshold = np.zeros(shape)
    for level in np.sort(grid, axis=0):
        seen = scores_at(validation_pooled, level, validation.labels, validation.labelled)
        better = seen.f1 > parts["validation"][0]
        threshold = np.where(better, level[:, None], threshold)
        _take(parts["validation"], seen, better)
        _take(parts["test"], scores_at(test_pooled, level, test.labels, test.labelled), better)
    return Matches(
        threshold,
        ThresholdScores(*parts["validation"]),
        ThresholdScores(*parts["test"]),
        always_on_f1(validation),
        always_on_f1(test),
    )


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


def _take(parts: list[Floats], found: ThresholdScores, where: NDArray[np.bool_]) -> None:
    """Overwrite the kept scores where the new threshold is better."""
    for kept, new in zip(parts, (found.f1, found.precision, found.recall), strict=True):
        kept[where] = new[where]


def _ratios(hits: NDArray[Any], fired: NDArray[Any], positive: NDArray[Any]) -> ThresholdScores:
    hits, fired = np.asarray(hits, np.float64), np.asarray(fired, np.float64)
    both = fired + np.asarray(positive, np.float64)
    return ThresholdScores(
        f1=2 * hits / np.maximum(both, 1),
        precision=hits / np.maximum(fired, 1),
        recall=hits / np.maximum(positive, 1),
    )
