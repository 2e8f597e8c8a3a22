"""Nodes of the labelling pipeline: concept vocabulary, labels of proteins and residues, axioms."""

from typing import Any

import pandas as pd

from protsae.annotations.concepts import VocabularyConfig, choose_concepts
from protsae.annotations.labels import label_table, residue_label_table
from protsae.annotations.sources import ConceptTables, with_source_axioms
from protsae.ontology.closure import Preset
from protsae.ontology.concept_axioms import AxiomConfig, axiom_table
from protsae.training.config import DictionaryList


def select_concepts(
    protein_concepts: pd.DataFrame,
    residue_concepts: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    concept_terms: pd.DataFrame,
    concept_relations: pd.DataFrame,
    proteins: pd.DataFrame,
    preset: Preset,
    config: VocabularyConfig,
    dictionaries: dict[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the terms that have enough evidence in every split, and list the others with the reason."""
    annotations = ConceptTables(concept_terms, concept_relations, protein_concepts, labelled_aspects)
    guided = DictionaryList(DictionaryList.architectures_of(dictionaries)).guided
    return choose_concepts(annotations, residue_concepts, proteins, preset, config, needed=bool(guided))


def label_proteins(
    protein_concepts: pd.DataFrame, residue_concepts: pd.DataFrame, concepts: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pick the positive proteins and the positive stretches of the concepts."""
    return label_table(protein_concepts, concepts), residue_label_table(residue_concepts, concepts)


def normalise_axioms(
    concepts: pd.DataFrame,
    ontology_axioms: pd.DataFrame,
    source_relations: pd.DataFrame,
    config: AxiomConfig,
) -> pd.DataFrame:
    """Choose the axioms over the concepts and their ancestors, and give their classes indices."""
    return axiom_table(concepts, with_source_axioms(ontology_axioms, source_relations), config)
