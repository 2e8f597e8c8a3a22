"""Nodes of the annotation pipeline: which protein carries which concept."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.annotations import joining
from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.joining import JoinConfig
from protsae.annotations.merging import merge_sources
from protsae.annotations.reading import SourceFiles, read_sources
from protsae.annotations.rows import nested_counts, read_annotations
from protsae.annotations.sources import ConceptTables, SourcesConfig, join_sources
from protsae.core.errors import naming
from protsae.ontology.closure import Preset
from protsae.ontology.norm_file import axioms_of, norm_text
from protsae.ontology.obo import Ontology, read_obo


def parse_ontology(
    raw_ontology: Path | None, raw_axioms: Path | None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, str, dict[str, Any]]:
    """Read the OBO file into terms, relations and axioms in normal form (as text too), and a report.

    A `go.norm` of the user's takes the place of the axioms that the OBO file states.
    """
    ontology = Ontology.empty() if raw_ontology is None else read_obo(raw_ontology)
    axioms, report = axioms_of(ontology, raw_axioms)
    return ontology.terms, ontology.relations, axioms, norm_text(axioms), ontology.report() | report


def join_annotations(
    raw_annotations: Path | None,
    sequences: pd.DataFrame,
    ontology_terms: pd.DataFrame,
    ontology_relations: pd.DataFrame,
    ontology_report: dict[str, Any],
    preset: Preset,
    config: AnnotationsConfig,
    join: JoinConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Read the annotations, resolve their ids, keep the proteins at hand and propagate to ancestors."""
    if raw_annotations is None:
        joined = joining.no_annotations(sequences)
        return joined.protein_concepts, joined.annotation_ids, joined.annotation_accessions, joined.report
    ontology = Ontology(ontology_terms, ontology_relations, ontology_report["data_version"])
    counts: Counter[str] = Counter()
    annotations = read_annotations(raw_annotations, config, counts)
    with naming(raw_annotations):
        joined = joining.join_annotations(annotations, sequences, ontology, preset, join, config.isoforms)
    report = {**joined.report, "file": {"source": raw_annotations.name, **nested_counts(counts)}}
    return joined.protein_concepts, joined.annotation_ids, joined.annotation_accessions, report


def gather_concepts(
    sequences: pd.DataFrame,
    raw_concept_tables: dict[str, Path],
    raw_concept_parents: dict[str, Path],
    raw_features: Path | None,
    raw_binding_sites: dict[str, Path],
    raw_motifs: Path | None,
    raw_rearrangements: Path | None,
    config: SourcesConfig,
) -> tuple[*tuple[pd.DataFrame, ...], dict[str, Any]]:
    """Read the concepts that are not the ontology's, find the motifs, and bring them to the proteins."""
    files = SourceFiles(
        raw_concept_tables,
        raw_concept_parents,
        raw_features,
        raw_binding_sites,
        raw_motifs,
        raw_rearrangements,
    )
    found = join_sources(read_sources(files, sequences, config), sequences, config)
    return (
        found.terms,
        found.relations,
        found.protein_concepts,
        found.residue_concepts,
        found.labelled,
        found.ids,
        found.report,
    )


def merge_concepts(
    ontology_terms: pd.DataFrame,
    ontology_relations: pd.DataFrame,
    ontology_concepts: pd.DataFrame,
    source_terms: pd.DataFrame,
    source_relations: pd.DataFrame,
    source_concepts: pd.DataFrame,
    source_labelled: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Put the concepts of the ontology and of the other sources side by side."""
    ontology = Ontology(ontology_terms, ontology_relations)
    sourced = ConceptTables(source_terms, source_relations, source_concepts, source_labelled)
    merged = merge_sources(ontology, ontology_concepts, sourced)
    return merged.terms, merged.relations, merged.protein_concepts, merged.labelled
