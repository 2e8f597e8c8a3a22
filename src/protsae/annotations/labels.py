"""Labels of proteins: positive, negative, or not labelled in an aspect."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

POSITIVE = 1
UNLABELLED = -1


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
        `protein_id` (categorical: tens of millions of rows at full size), `concept_idx` (int32), `label`
        (int8): 1 positive, -1 not labelled; absent pairs are negative. Sorted by both.
    """
    protein_ids = pd.Index(proteins["protein_id"].sort_values())
    row = protein_ids.get_indexer(pd.Index(protein_concepts["protein_id"]))
    column = pd.Index(concepts["concept_id"]).get_indexer(pd.Index(protein_concepts["concept_id"]))
    aspect = protein_concepts["concept_id"].map(ontology_terms.set_index("term_id")["aspect"]).to_numpy()
    dense = np.zeros((len(protein_ids), len(concepts)), dtype=np.int8)
    for name in concepts["aspect"].unique():
        annotated = np.zeros(len(protein_ids), dtype=bool)
        annotated[row[(aspect == name) & (row >= 0)]] = True
        dense[np.ix_(~annotated, concepts["aspect"] == name)] = UNLABELLED
    known = (row >= 0) & (column >= 0)
    dense[row[known], column[known]] = POSITIVE
    rows, columns = dense.nonzero()
    return pd.DataFrame(
        {
            "protein_id": pd.Categorical.from_codes(rows, categories=protein_ids),
            "concept_idx": concepts["concept_idx"].to_numpy(np.int32)[columns],
            "label": dense[rows, columns],
        }
    )


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
    owner = protein_labels["protein_id"].astype("category").cat
    row = pd.Index(protein_ids).get_indexer(owner.categories)[owner.codes]
    column = protein_labels["concept_idx"].to_numpy()
    label = protein_labels["label"].to_numpy()
    positive = (row >= 0) & (label == POSITIVE)
    unlabelled = (row >= 0) & (label == UNLABELLED)
    labels[row[positive], column[positive]] = 1.0
    labelled[row[unlabelled], column[unlabelled]] = False
    return labels, labelled
