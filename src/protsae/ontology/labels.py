"""Labels of proteins: positive, negative, or not labelled in an aspect."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

POSITIVE = 1
UNLABELLED = -1
LABEL_COLUMNS = ("protein_id", "concept_idx", "label")


def label_table(
    protein_concepts: pd.DataFrame,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    ontology_terms: pd.DataFrame,
) -> pd.DataFrame:
    """Return the labels of every protein, whatever its split.

    A protein without any annotation in an aspect (its root aside) is not labelled for the concepts of that
    aspect: nobody looked, which is not a negative.

    Args:
        protein_concepts: `protein_id`, `concept_id`; propagated.
        proteins: `protein_id`.
        concepts: `concept_idx`, `concept_id`, `aspect`.
        ontology_terms: `term_id`, `aspect`.

    Returns:
        `protein_id`, `concept_idx` (int32), `label` (int8): 1 positive, -1 not labelled; absent pairs are
        negative. Sorted by both.
    """
    index_of = concepts.set_index("concept_id")["concept_idx"]
    known = protein_concepts[protein_concepts["concept_id"].isin(index_of.index)]
    positive = pd.DataFrame(
        {
            "protein_id": known["protein_id"],
            "concept_idx": known["concept_id"].map(index_of),
            "label": POSITIVE,
        }
    )
    aspect = protein_concepts["concept_id"].map(ontology_terms.set_index("term_id")["aspect"])
    unlabelled = []
    for name, group in concepts.groupby("aspect"):
        annotated = protein_concepts.loc[aspect == name, "protein_id"]
        without = proteins.loc[~proteins["protein_id"].isin(annotated), ["protein_id"]]
        unlabelled.append(without.merge(group[["concept_idx"]], how="cross").assign(label=UNLABELLED))
    table = pd.concat([positive, *unlabelled]).astype({"concept_idx": "int32", "label": "int8"})
    return table.sort_values(["protein_id", "concept_idx"], ignore_index=True)[list(LABEL_COLUMNS)]


def label_matrix(
    protein_labels: pd.DataFrame, n_concepts: int, protein_ids: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return labels as dense arrays, a row per protein in the order given.

    Args:
        protein_labels: `protein_id`, `concept_idx`, `label`.
        n_concepts: number of concepts.
        protein_ids: the proteins wanted, each once.

    Returns:
        labels: float32 [n_proteins, n_concepts], 1 positive, 0 otherwise.
        labelled: bool [n_proteins, n_concepts], whether the label is known.
    """
    labels = np.zeros((len(protein_ids), n_concepts), dtype=np.float32)
    labelled = np.ones((len(protein_ids), n_concepts), dtype=bool)
    row = pd.Index(protein_ids).get_indexer(pd.Index(protein_labels["protein_id"]))
    column = protein_labels["concept_idx"].to_numpy()
    label = protein_labels["label"].to_numpy()
    positive = (row >= 0) & (label == POSITIVE)
    unlabelled = (row >= 0) & (label == UNLABELLED)
    labels[row[positive], column[positive]] = 1.0
    labelled[row[unlabelled], column[unlabelled]] = False
    return labels, labelled
