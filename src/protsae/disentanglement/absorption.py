"""Absorption: is a concept's latent silent where the latent of a narrower concept fires?

After SAEBench, where a latent for "begins with S" falls silent on the words that have a latent of their own.
There the concepts are letters; here they are terms of an ontology, whose pairs of parent and child are known.
Of the test proteins that have the child (and therefore the parent), absorbed is the share on which the
parent's latent is silent and the child's fires. A latent that is silent at random is silent there too: the
share expected if both were independent among those proteins is given as well, and the excess over it is what
the child's latent took. What counts as firing, and for a free latent which one stands for a concept, is
chosen by F1 on validation proteins.
"""

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
from protsae.interpretation.dictionary import EncodedDictionary
from protsae.interpretation.matching import Matches, match_latents
from protsae.ontology.obo import Ontology
from protsae.probing.labelled import LabelledProteins


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
    pairs = nearest_pairs(concepts, ontology.terms, ontology.relations)
    if not len(pairs):
        return nothing()
    labels = proteins.protein_labels
    matches = match_latents(
        subject.pooled["validation"], subject.pooled["test"], labels["validation"], labels["test"], config
    )
    found = {}
    for kind in subject.kinds():
        chosen = _representatives(subject, proteins.of_proteins, kind, matches)
        on = subject.pooled["test"][:, chosen.latent] > chosen.threshold
        found[kind] = (chosen, Events(*what_happens(on, labels["test"].labels, pairs).astype(np.float64)))
    nested = NestedConcepts("protein", concepts, pairs)
    return absorption_tables(subject.run, nested, found, proteins.test_clusters(), config)


def _representatives(
    subject: EncodedDictionary, columns: NDArray[np.int64], kind: str, matches: Matches
) -> Representatives:
    """Take the own latent of each concept, or the free one with the best F1 on validation."""
    free = subject.latents_of("free")
    if kind == "free":
        best = free[np.argmax(matches.validation.f1[free], axis=0)]
    else:
        best = subject.own_latents(columns)
    at = (best, np.arange(len(best)))
    return Representatives(best, matches.threshold[at], matches.test.f1[at], matches.margin[at] > 0)
