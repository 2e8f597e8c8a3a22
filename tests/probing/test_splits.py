"""Lining up proteins, splits and labels."""

import numpy as np
import pandas as pd
import pytest

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.core.errors import InputError
from protsae.probing.splits import (
    SplitLabels,
    feature_matrix,
    labels_by_split,
    protein_level,
    split_of_proteins,
)

PROTEINS = pd.DataFrame(
    {
        "protein_id": ["A", "B", "C", "D", "E"],
        "split": ["test", "train", "validation", "excluded", "train"],
    }
)
CONCEPTS = pd.DataFrame({"concept_idx": [0, 1], "concept_id": ["x", "y"], "aspect": ["BPO", "MFO"]})
LABELS = pd.DataFrame({"protein_id": ["A", "B"], "concept_idx": [1, 0]})
LABELLED = pd.DataFrame(
    [(p, a) for p in "ABCDE" for a in ("BPO", "MFO") if (p, a) != ("B", "MFO")],
    columns=["protein_id", "aspect"],
)
TABLES = LabelTables(CONCEPTS, LABELS, LABELLED, pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)))


def test_labels_of_the_proteins_that_were_encoded_in_order_of_id():
    found = labels_by_split(PROTEINS, TABLES, {"A", "B", "C", "D", "E"})
    assert {split: labels.protein_ids for split, labels in found.items()} == {
        "train": ["B", "E"],
        "validation": ["C"],
        "test": ["A"],
    }
    np.testing.assert_array_equal(found["train"].labels, [[True, False], [False, False]])
    np.testing.assert_array_equal(found["train"].labelled, [[True, False], [True, True]])
    np.testing.assert_array_equal(found["test"].labels, [[False, True]])
    assert split_of_proteins(PROTEINS, {"A", "B", "C"}) == {"A": "test", "B": "train", "C": "validation"}


def test_a_split_without_proteins_is_refused():
    with pytest.raises(InputError, match="no protein of split validation has activations"):
        split_of_proteins(PROTEINS, {"A", "B"})


def test_features_come_in_the_order_asked():
    table = pd.DataFrame({"protein_id": ["A", "B"], "activation": [np.array([1.0]), np.array([2.0])]})
    np.testing.assert_array_equal(feature_matrix(table, "activation", ["B", "A"]), [[2.0], [1.0]])
    with pytest.raises(InputError, match="first is Z"):
        feature_matrix(table, "activation", ["A", "Z"])


def test_concepts_of_whole_proteins_by_their_numbers():
    concepts = pd.DataFrame({"level": ["residue", "residue", "protein", "protein"]})
    columns = protein_level(concepts)
    assert columns.tolist() == [2, 3]
    labels = np.array([[0, 0, 1, 0], [0, 1, 0, 1]], dtype=bool)
    found = SplitLabels(["A", "B"], labels, ~labels).of_concepts(columns)
    assert found.labels.tolist() == [[True, False], [False, True]]
    assert found.labelled.tolist() == [[False, True], [True, False]]
    assert protein_level(concepts.assign(level="residue")).tolist() == []
