"""Concepts of residues: thresholds chosen on validation, latents by the labels of the selection, both counted
on test protein by protein."""

from collections.abc import Collection

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
    codes: CodeSource,
    proteins: LabelledProteins,
    config: ChoiceConfig,
    training_ids: Collection[str] = (),
) -> dict[str, tuple[Chosen, PairCounts]]:
    """Choose and count latents for the concepts of residues, for each of `LEVELS`.

    Args:
        codes: of a dictionary.
        proteins: the proteins and what they carry.
        config: how latents are chosen.
        training_ids: training proteins whose codes are stored, for a selection that reads training labels.
    """
    largest, counts = count_on_validation(codes, proteins, config.thresholds)
    selected = counts
    if config.selection != "validation":
        of_training = AssociationAccumulator(largest, proteins.known_together, config.thresholds)
        for names, part in codes.read(training_ids):
            of_training.update(part, proteins.truth("train", names))
        selected = of_training.counts()
        if config.selection == "train_and_validation":
            selected = selected + counts
    chosen = choose(counts, selected, config)
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


def choose(
    validation: AssociationCounts, selected: AssociationCounts, config: ChoiceConfig
) -> dict[str, Chosen]:
    """Choose thresholds (the lowest on ties) by F1 on validation and latents by F1 on the selection, for each
    of `LEVELS`."""
    thresholds, chosen = np.array(config.thresholds), {}
    for level, name in zip(LEVELS, ("f1", "domain_f1"), strict=True):
        by_threshold, selected_by = (
            np.stack([getattr(counts.scores(c), name) for c in range(len(counts.group))], axis=1)
            for counts in (validation, selected)
        )  # [n_latents, n_concepts, n_thresholds]
        at = by_threshold.argmax(axis=2)[..., None]
        f1, f1_validation = (np.take_along_axis(f, at, axis=2)[..., 0] for f in (selected_by, by_threshold))
        chosen[level] = Chosen.best(f1, thresholds[at[..., 0]], f1_validation, config.n_latents)
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
