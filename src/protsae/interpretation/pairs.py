"""Pairs of concept and latent, chosen without test proteins, judged on test against what needs no latent.

A concept counts as found where F1 on test exceeds a bound (.5), the F1 of a latent that is always on, and the
F1 of residue identity: the last by more than chance, the whole interval of the paired difference over
resampled homology clusters lying above 0. A latent that fires on cysteines is no disulfide latent.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.interpretation.config import ChoiceConfig
from protsae.metrics.association import harmonic
from protsae.metrics.significance import benjamini_hochberg

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALIGNMENT_COLUMNS = (
    "method", "supervision", "level", "aspect", "concept_id", "name", "represented_by", "rank", "latent",
    "threshold", "f1_validation", "f1_test", "low", "high", "precision_test", "recall_test", "n_true",
    "f1_always_on", "f1_identity", "difference", "difference_low", "difference_high", "p_value", "q_value",
    "is_found",
)  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """Pairs, concept by concept and from the best latent down."""

    concept: Ints
    """Which concept of its level each pair is of [n_pairs]."""
    rank: Ints
    """From 1, by F1 on the proteins of the selection."""
    latent: Ints
    threshold: Floats
    """In the unit of the level."""
    f1_validation: Floats

    @classmethod
    def best(cls, f1: Floats, threshold: Floats, f1_validation: Floats, n: int) -> "Chosen":
        """Choose n latents for each concept, the first on ties.

        Args:
            f1: on the proteins of the selection [n_latents, n_concepts].
            threshold: the one that validation prefers [n_latents, n_concepts].
            f1_validation: on validation at it [n_latents, n_concepts].
            n: how many; fewer where there are fewer latents.
        """
        n = min(n, len(f1))
        latent = np.argsort(-f1, axis=0, kind="stable")[:n].T
        concept = np.repeat(np.arange(f1.shape[1]), n)
        at = (latent.ravel(), concept)
        rank = np.tile(np.arange(1, n + 1), f1.shape[1])
        return cls(concept, rank, latent.ravel(), threshold[at], f1_validation[at])


@dataclass(frozen=True)
class PairCounts:
    """What test proteins hold, protein by protein: enough for F1 of any resample."""

    inside: NDArray[np.integer]
    """[n_proteins, n_pairs]: firing residues (or proteins) inside the concept."""
    fired: NDArray[np.integer]
    """[n_proteins, n_pairs]: firing ones."""
    found: NDArray[np.integer]
    """[n_proteins, n_pairs]: what recall counts, residues, instances or proteins."""
    there: NDArray[np.integer]
    """[n_proteins, n_pairs]: how many of these there are to be found."""

    def scores(self, weights: NDArray[np.integer] | None = None) -> tuple[Floats, Floats, Floats]:
        """Return F1, precision and recall [..., n_pairs] with proteins weighted [..., n_proteins], or once
        each."""
        by = np.ones(len(self.fired)) if weights is None else np.asarray(weights, np.float64)
        inside, fired, found, there = (by @ x for x in (self.inside, self.fired, self.found, self.there))
        precision, recall = inside / np.maximum(fired, 1), found / np.maximum(there, 1)
        return harmonic(precision, recall), precision, recall


@dataclass(frozen=True)
class NoLatentScores:
    """What needs no latent, on test, one entry for each concept of a level."""

    concepts: pd.DataFrame
    """Their rows of the `concepts` table, and `represented_by`: the concept that counts for each."""
    always_on: Floats
    """F1 of a latent that always fires [n_concepts]."""
    identity: PairCounts
    """Residue identity, a pair for each concept."""


@dataclass(frozen=True)
class PairScores:
    """Rows of the table, and what intervals of means are made from."""

    table: pd.DataFrame
    samples: Floats
    """F1 on test in every resample [n_resamples, n_pairs]."""


def score_pairs(
    chosen: Chosen,
    counts: PairCounts,
    floor: NoLatentScores,
    weights: NDArray[np.int64],
    config: ChoiceConfig,
) -> PairScores:
    """Score the pairs on test: the columns of `ALIGNMENT_COLUMNS` from `aspect` on, but for `level`.

    Args:
        chosen: the pairs.
        counts: what they hold on test.
        floor: of their level.
        weights: resamples of the test proteins [n_resamples, n_proteins].
        config: bounds and confidence.
    """
    concept = chosen.concept
    f1, precision, recall = counts.scores()
    samples = counts.scores(weights)[0]
    identity, identity_samples = floor.identity.scores()[0][concept], floor.identity.scores(weights)[0]
    differences = samples - identity_samples[:, concept]
    tails = [(1 - config.confidence) / 2, (1 + config.confidence) / 2]
    low, high = np.quantile(samples, tails, axis=0)
    difference_low, difference_high = np.quantile(differences, tails, axis=0)
    p_value = (1 + (differences <= 0).sum(axis=0)) / (1 + len(differences))
    q_value = np.full(len(concept), np.nan)
    about = floor.concepts[["aspect", "concept_id", "name", "represented_by"]]
    about = about.iloc[concept].reset_index(drop=True)
    first = (chosen.rank == 1) & (about["represented_by"] == about["concept_id"]).to_numpy()
    q_value[first] = benjamini_hochberg(p_value[first])
    always_on = floor.always_on[concept]
    table = about.assign(
        rank=chosen.rank,
        latent=chosen.latent,
        threshold=chosen.threshold,
        f1_validation=chosen.f1_validation,
        f1_test=f1,
        low=low,
        high=high,
        precision_test=precision,
        recall_test=recall,
        n_true=counts.there.sum(axis=0),
        f1_always_on=always_on,
        f1_identity=identity,
        difference=f1 - identity,
        difference_low=difference_low,
        difference_high=difference_high,
        p_value=p_value,
        q_value=q_value,
        is_found=(f1 > config.found_f1) & (f1 > always_on) & (difference_low > 0),
    )
    return PairScores(table, samples)
