"""The annotations of the ontology and those of other sources in one place."""

import numpy as np
import pandas as pd

from protsae.annotations.sources import ConceptTables, with_sources
from protsae.ontology.obo import Ontology

TERM_COLUMNS = ("term_id", "name", "aspect", "definition", "level", "is_obsolete", "alt_ids", "replaced_by")


def merge_sources(
    ontology: Ontology, ontology_concepts: pd.DataFrame, sourced: ConceptTables
) -> ConceptTables:
    """Put the ontology's annotations and the sources' together; the columns of terms are `TERM_COLUMNS`.

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
    return ConceptTables(
        terms=merged.terms.assign(level=pd.array(level, dtype="str"))[list(TERM_COLUMNS)],
        relations=merged.relations,
        protein_concepts=pd.concat(given, ignore_index=True),
        labelled=labelled.sort_values(["protein_id", "aspect"], ignore_index=True),
    )
