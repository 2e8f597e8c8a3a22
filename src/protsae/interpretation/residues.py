"""Concepts of residues: latents chosen on validation, counted on test protein by protein."""

import numpy as np
from numpy.typing import NDArray

from protsae.interpretation.config import ChoiceConfig
from protsae.interpretation.pairs import Chosen, PairCounts
from protsae.interpretation.sources import CodeSource
from protsae.metrics.association import (
    AssociationAccumulator,
    AssociationCounts,
    count_pairs,
)
from protsae.probing.labelled import LabelledProteins

LEVELS = ("residue", "domain")
"""How recall counts: residues, or instances (InterPLM's domain-aware F1)."""


def align_residues(
    codes: CodeSource, proteins: LabelledProteins, config: ChoiceConfig
) -> dict[str, tuple[Chosen, PairCounts]]:
    """Choose and count latents for the concepts of residues, for each of `LEVELS`."""
    largest, counts = count_on_validation(codes, proteins, config.thresholds)
    chosen = choose(counts, config)
    counted = count_on_test(codes, proteins, largest, [chosen[level] for level in LEVELS], config)
    return {level: (chosen[level], found) for level, found in zip(LEVELS, counted, strict=True)}


def count_on_validation(
    codes: CodeSource, proteins: LabelledProteins, thresholds: tuple[float, ...]
) -> tuple[NDArray[np.float64], AssociationCounts]:
    """Return the largest activation of each latent, which thresholds are shares of, and what exceeds them."""
    ids = proteins.ids["validation"]
    largest = np.zeros(codes.n_latents)
    for _, part in codes.read(ids):
        np.maximum(largest, part.largest(len(largest)), out=largest)
    accumulator = AssociationAccumulator(largest, proteins.known_together, thresholds)
    for names, part in codes.read(ids):
        accumulator.update(part, proteins.truth("validation", names))
    return largest, accumulator.counts()


def choose(counts: AssociationCounts, config: ChoiceConfig) -> dict[str, Chosen]:
    """Choose latents and thresholds (the lowest on ties) by F1, for each of `LEVELS`."""
    thresholds = np.array(config.thresholds)
    scores = [counts.scores(concept) for concept in range(len(counts.group))]
    chosen = {}
    for level, f1s in (("residue", [s.f1 for s in scores]), ("domain", [s.domain_f1 for s in scores])):
        f1 = np.stack([f.max(axis=1) for f in f1s], axis=1)
        threshold = np.stack([thresholds[f.argmax(axis=1)] for f in f1s], axis=1)
        chosen[level] = Chosen.best(f1, threshold, config.n_latents)
    return chosen


def count_on_test(
    codes: CodeSource,
    proteins: LabelledProteins,
    largest: NDArray[np.float64],
    chosen: list[Chosen],
    config: ChoiceConfig,
) -> list[PairCounts]:
    """Count the pairs on test proteins: recall by residues for the first list, then by instances."""
    of_residues, of_instances = chosen
    concept = np.concatenate([c.concept for c in chosen])
    latent = np.concatenate([c.latent for c in chosen])
    threshold = np.concatenate([c.threshold for c in chosen])
    level = np.searchsorted(config.thresholds, threshold) + 1
    ids = proteins.ids["test"]
    counts = np.zeros((3, len(ids), len(concept)), dtype=np.int32)
    place = {name: i for i, name in enumerate(ids)}
    for names, part in codes.read(ids):
        rows = [place[name] for name in names]
        truth = proteins.truth("test", names)
        counts[:, rows] = count_pairs(part, truth, largest, config.thresholds, (concept, latent, level))
    truth = proteins.truth("test")
    positive, instances = truth.by_protein()
    n = len(of_residues.concept)
    inside, fired, hit = counts
    return [
        PairCounts(inside[:, :n], fired[:, :n], inside[:, :n], positive[:, of_residues.concept]),
        PairCounts(inside[:, n:], fired[:, n:], hit[:, n:], instances[:, of_instances.concept]),
    ]
