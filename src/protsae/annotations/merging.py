"""The annotations of the ontology and those of other sources in one place."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from protsae.annotations.sources import SourceTables, with_sources
from protsae.ontology.obo import Ontology

TERM_COLUMNS = ("term_id", "name", "aspect", "definition", "level", "is_obsolete", "alt_ids", "replaced_by")


@dataclass(frozen=True)
class AnnotationTables:
    """Concepts of the ontology and of other sources, side by side.

    Attributes:
        terms: `TERM_COLUMNS`, sorted by `term_id`; `level` is `protein` or `residue`.
        relations: `child_id`, `relation`, `parent_id`.
        protein_concepts: `protein_id`, `concept_id`, `is_direct`: the ontology's, then the sources', each
            sorted.
        labelled_aspects: `protein_id`, `aspect`, sorted: where an absent concept is a negative.
    """

    terms: pd.DataFrame
    relations: pd.DataFrame
    protein_concepts: pd.DataFrame
    labelled_aspects: pd.DataFrame


def merge_sources(
    ontology: Ontology, ontology_concepts: pd.DataFrame, sourced: SourceTables
) -> AnnotationTables:
    """Put the ontology's annotations and the sources' together.

    A protein is labelled in an aspect of the ontology if it has any annotation there (the root aside), and in
    a source's aspect if the source lists it.

    Args:
        ontology: terms and relations.
        ontology_concepts: `protein_id`, `concept_id`, `is_direct`; propagated.
        sourced: what other sources say.

    Raises:
        InputError: a source defines a term of the ontology.
    """
    merged = with_sources(ontology, sourced.terms, sourced.relations)
    aspect = ontology_concepts["concept_id"].map(ontology.terms.set_index("term_id")["aspect"])
    annotated = ontology_concepts[["protein_id"]].assign(aspect=aspect).drop_duplicates()
    labelled = pd.concat([annotated, sourced.labelled]).astype("str")
    of_residues = sourced.terms.loc[sourced.terms["level"] == "residue", "term_id"]
    level = np.where(merged.terms["term_id"].isin(of_residues), "residue", "protein")
    pairs = (ontology_concepts, sourced.protein_concepts)
    given = [table for table in pairs if len(table)] or [ontology_concepts]
    return AnnotationTables(
        terms=merged.terms.assign(level=pd.array(level, dtype="str"))[list(TERM_COLUMNS)],
        relations=merged.relations,
        protein_concepts=pd.concat(given, ignore_index=True),
        labelled_aspects=labelled.sort_values(["protein_id", "aspect"], ignore_index=True),
    )
