"""Concepts of residues: latents chosen on validation, counted on test protein by protein."""

import numpy as np
from numpy.typing import NDArray

from protsae.alignment.config import ChoiceConfig
from protsae.alignment.pairs import Chosen, PairCounts
from protsae.alignment.reading import Reader
from protsae.metrics.association import (
    AssociationAccumulator,
    AssociationCounts,
    count_pairs,
)

LEVELS = ("residue", "domain")
"""How recall counts: residues, or instances (InterPLM's domain-aware F1)."""


def align_residues(reader: Reader, config: ChoiceConfig) -> dict[str, tuple[Chosen, PairCounts]]:
    """Choose and count latents for the concepts of residues, for each of `LEVELS`."""
    largest = largest_on_validation(reader)
    accumulator = AssociationAccumulator(largest, reader.ground.known_together, config.thresholds)
    for names, codes in reader.read("validation"):
        accumulator.update(codes, reader.ground.truth("validation", names))
    chosen = choose(accumulator.counts(), config)
    counted = count_on_test(reader, largest, [chosen[level] for level in LEVELS], config)
    return {level: (chosen[level], found) for level, found in zip(LEVELS, counted, strict=True)}


def largest_on_validation(reader: Reader) -> NDArray[np.float64]:
    """Return the largest activation of each latent: what thresholds are shares of."""
    largest = np.zeros(reader.dictionary.n_latents)
    for _, codes in reader.read("validation"):
        np.maximum(largest, codes.largest(len(largest)), out=largest)
    return largest


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
    reader: Reader, largest: NDArray[np.float64], chosen: list[Chosen], config: ChoiceConfig
) -> list[PairCounts]:
    """Count the pairs on test proteins: recall by residues for the first list, then by instances."""
    of_residues, of_instances = chosen
    concept = np.concatenate([c.concept for c in chosen])
    latent = np.concatenate([c.latent for c in chosen])
    threshold = np.concatenate([c.threshold for c in chosen])
    level = np.searchsorted(config.thresholds, threshold) + 1
    ids = reader.ground.ids["test"]
    counts = np.zeros((3, len(ids), len(concept)), dtype=np.int32)
    place = {name: i for i, name in enumerate(ids)}
    for names, codes in reader.read("test"):
        rows = [place[name] for name in names]
        truth = reader.ground.truth("test", names)
        counts[:, rows] = count_pairs(codes, truth, largest, config.thresholds, (concept, latent, level))
    truth = reader.ground.truth("test")
    positive, instances = truth.by_protein()
    n = len(of_residues.concept)
    inside, fired, hit = counts
    return [
        PairCounts(inside[:, :n], fired[:, :n], inside[:, :n], positive[:, of_residues.concept]),
        PairCounts(inside[:, n:], fired[:, n:], hit[:, n:], instances[:, of_instances.concept]),
    ]
