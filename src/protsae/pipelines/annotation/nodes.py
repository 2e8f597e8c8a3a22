"""Nodes of the annotation pipeline: from an ontology and annotations to concepts, labels and axioms."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.annotations import joining
from protsae.annotations.concepts import VocabularyConfig, choose_concepts
from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.joining import JoinConfig
from protsae.annotations.labels import label_table
from protsae.annotations.rows import nested_counts, read_annotations
from protsae.core.errors import about
from protsae.ontology.closure import Preset
from protsae.ontology.concept_axioms import AxiomConfig, axiom_table
from protsae.ontology.norm_file import axioms_of, norm_text
from protsae.ontology.obo import Ontology, read_obo


def parse_ontology(
    raw_ontology: Path, raw_axioms: Path | None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, str, dict[str, Any]]:
    """Read the OBO file into terms, relations and axioms in normal form (as text too), and a report.

    A `go.norm` of the user's takes the place of the axioms that the OBO file states.
    """
    ontology = read_obo(raw_ontology)
    axioms, report = axioms_of(ontology, raw_axioms)
    return ontology.terms, ontology.relations, axioms, norm_text(axioms), ontology.report() | report


def join_annotations(
    raw_annotations: Path,
    sequences: pd.DataFrame,
    ontology_terms: pd.DataFrame,
    ontology_relations: pd.DataFrame,
    ontology_report: dict[str, Any],
    preset: Preset,
    config: AnnotationsConfig,
    join: JoinConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Read the annotations, resolve their ids, keep the proteins at hand and propagate to ancestors."""
    ontology = Ontology(ontology_terms, ontology_relations, ontology_report["data_version"])
    counts: Counter[str] = Counter()
    annotations = read_annotations(raw_annotations, config, counts)
    with about(raw_annotations):
        joined = joining.join_annotations(annotations, sequences, ontology, preset, join, config.isoforms)
    report = {**joined.report, "file": {"source": raw_annotations.name, **nested_counts(counts)}}
    return joined.protein_concepts, joined.annotation_ids, joined.annotation_accessions, report


def select_concepts(
    protein_concepts: pd.DataFrame,
    proteins: pd.DataFrame,
    ontology_terms: pd.DataFrame,
    ontology_relations: pd.DataFrame,
    preset: Preset,
    config: VocabularyConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the terms that have enough evidence in every split, and list the others with the reason."""
    ontology = Ontology(ontology_terms, ontology_relations)
    vocabulary = choose_concepts(protein_concepts, proteins, ontology, preset, config)
    return vocabulary.concepts, vocabulary.concepts_left_out


def label_proteins(
    protein_concepts: pd.DataFrame,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    ontology_terms: pd.DataFrame,
) -> pd.DataFrame:
    """Label every protein for every concept: positive, not labelled, or (absent) negative."""
    return label_table(protein_concepts, proteins, concepts, ontology_terms)


def normalise_axioms(
    concepts: pd.DataFrame, ontology_axioms: pd.DataFrame, config: AxiomConfig
) -> pd.DataFrame:
    """Choose the axioms over the concepts and their ancestors, and give their classes indices."""
    return axiom_table(concepts, ontology_axioms, config)
