"""Absorption: is a concept's latent silent where the latent of a narrower concept fires?

After SAEBench, where a latent for "begins with S" falls silent on the words that have a latent of their own.
There the concepts are letters; here they are terms of an ontology, whose pairs of parent and child are known.
Of the test proteins that have the child (and therefore the parent), absorbed is the share on which the
parent's latent is silent and the child's fires. A latent that is silent at random is silent there too: the
share expected if both were independent among those proteins is given as well, and the excess over it is what
the child's latent took. What counts as firing, and for a free latent which one stands for a concept, is
chosen by F1 on validation proteins.

Concepts of residues are judged on the residues of test proteins that carry the narrower: a latent fires on a
residue where it exceeds a share of its largest activation on validation.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.disentanglement.config import AbsorptionConfig
from protsae.disentanglement.nesting import (
    Events,
    NestedConcepts,
    Representatives,
    absorption_tables,
    nearest_pairs,
    nothing,
    what_happens,
)
from protsae.encoding.codes import CodeStore
from protsae.interpretation.dictionary import EncodedDictionary
from protsae.interpretation.matching import match_latents
from protsae.interpretation.residues import count_on_validation
from protsae.metrics.association import THRESHOLDS, ResidueCodes
from protsae.ontology.obo import Ontology
from protsae.probing.labelled import LabelledProteins

Ints = NDArray[np.int64]


def absorption(
    subject: EncodedDictionary,
    proteins: LabelledProteins,
    ontology: Ontology,
    config: AbsorptionConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure absorption of every pair of nested concepts of whole proteins, for defined latents and for free
    ones.

    Args:
        subject: the dictionary, on the splits validation and test.
        proteins: concepts, and the proteins that carry them.
        ontology: the tables `concept_terms` and `concept_relations`.
        config: settings.

    Returns:
        The table in the columns `nesting.COLUMNS`, and rows of the metrics table.
    """
    concepts = proteins.concepts.iloc[proteins.of_proteins].reset_index(drop=True)
    pairs = nearest_pairs(concepts, ontology)
    if not len(pairs):
        return nothing()
    labels = proteins.protein_labels
    matches = match_latents(subject.pooled, labels, config)
    found = {}
    for kind in subject.kinds():
        latent = _standing_for(subject, kind, matches.validation.f1, proteins.of_proteins)
        at = (latent, np.arange(len(latent)))
        is_above = matches.margin[at] > 0
        chosen = Representatives(latent, matches.threshold[at], matches.test.f1[at], is_above)
        on = subject.pooled["test"][:, chosen.latent] > chosen.threshold
        found[kind] = (chosen, Events(*what_happens(on, labels["test"].labels, pairs).astype(np.float64)))
    nested = NestedConcepts("protein", concepts, pairs)
    return absorption_tables(subject.run, nested, found, proteins.test_clusters(), config)


def _standing_for(subject: EncodedDictionary, kind: str, f1: NDArray[np.float64], concept_idx: Ints) -> Ints:
    """Return the own latent of each concept, or the free one with the best F1 on validation.

    Args:
        subject: the dictionary.
        kind: defined or free.
        f1: on validation [n_latents, n_concepts].
        concept_idx: the concepts [n_concepts].
    """
    if kind == "defined":
        return subject.own_latents(concept_idx)
    free = subject.latents_of("free")
    best: Ints = free[np.argmax(f1[free], axis=0)]
    return best


def residue_absorption(
    codes: CodeStore,
    subject: EncodedDictionary,
    proteins: LabelledProteins,
    ontology: Ontology,
    config: AbsorptionConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure absorption of every pair of nested concepts of residues; nothing is read where there is none.

    Args:
        codes: the dictionary's codes of residues.
        subject: the dictionary.
        proteins: concepts, and the proteins that carry them.
        ontology: the tables `concept_terms` and `concept_relations`.
        config: settings.

    Returns:
        The table in the columns `nesting.COLUMNS`, and rows of the metrics table.
    """
    of_residues = proteins.concepts.iloc[proteins.of_residues].reset_index(drop=True)
    pairs = nearest_pairs(of_residues, ontology)
    if not len(pairs):
        return nothing()
    used, numbers = np.unique(pairs, return_inverse=True)
    pairs = numbers.reshape(pairs.shape)
    chosen = _choose(codes, subject, proteins, used)
    counted = _count(codes, proteins, chosen, used, pairs)
    nested = NestedConcepts("residue", of_residues.iloc[used].reset_index(drop=True), pairs)
    return absorption_tables(subject.run, nested, counted, proteins.test_clusters(), config)


def _choose(
    codes: CodeStore, subject: EncodedDictionary, proteins: LabelledProteins, used: Ints
) -> dict[str, Representatives]:
    """Return the latents that stand for the concepts by kind; F1 on test is filled in when it is counted."""
    largest, counts = count_on_validation(codes, proteins, THRESHOLDS)
    f1 = np.stack([counts.scores(int(concept)).f1 for concept in used])  # concept, latent, threshold
    best, floor = f1.max(axis=2), counts.always_on()[used]
    rows = np.arange(len(used))
    chosen = {}
    for kind in subject.kinds():
        latent = _standing_for(subject, kind, best.T, proteins.of_residues[used])
        threshold = np.array(THRESHOLDS)[f1[rows, latent].argmax(axis=1)] * largest[latent]
        nothing_yet = np.full(len(used), np.nan)
        chosen[kind] = Representatives(latent, threshold, nothing_yet, best[rows, latent] > floor)
    return chosen


def _count(
    codes: CodeStore,
    proteins: LabelledProteins,
    chosen: Mapping[str, Representatives],
    used: Ints,
    pairs: Ints,
) -> dict[str, tuple[Representatives, Events]]:
    """Count what the chosen latents do on the residues of test proteins."""
    ids = proteins.ids["test"]
    place = {protein_id: row for row, protein_id in enumerate(ids)}
    events = {kind: np.zeros((4, len(ids), len(pairs))) for kind in chosen}
    totals = {kind: np.zeros((3, len(used))) for kind in chosen}  # hits, firing residues, residues
    for names, part in codes.read(ids):
        truth = proteins.truth("test", names)
        labels, known = (of_all[:, used] for of_all in truth.dense())
        rows = [place[name] for name in names]
        for kind, latents in chosen.items():
            on = _fires(part, latents) & known
            totals[kind] += [(on & labels).sum(axis=0), on.sum(axis=0), labels.sum(axis=0)]
            happens = what_happens(on, labels, pairs).astype(np.int64)
            events[kind][:, rows] = np.add.reduceat(happens, truth.first_row[:-1], axis=1)
    found = {}
    for kind, latents in chosen.items():
        hits, fired, positive = totals[kind]
        f1 = 2 * hits / np.maximum(fired + positive, 1)
        with_f1 = Representatives(latents.latent, latents.threshold, f1, latents.is_above_floor)
        found[kind] = (with_f1, Events(*events[kind]))
    return found


def _fires(codes: ResidueCodes, latents: Representatives) -> NDArray[np.bool_]:
    """Return where the latent of each concept exceeds its threshold [n_residues, n_concepts]."""
    row = np.repeat(np.arange(len(codes)), np.diff(codes.indptr))
    on = np.zeros((len(codes), len(latents.latent)), dtype=bool)
    for concept, (latent, threshold) in enumerate(zip(latents.latent, latents.threshold, strict=True)):
        here = codes.latents == latent
        on[row[here], concept] = codes.values[here] > threshold
    return on
