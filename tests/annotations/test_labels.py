"""Labels: positive, negative and not labelled."""

import numpy as np
import pandas as pd

from protsae.annotations.labels import label_matrix, label_table
from protsae.ontology.obo import Ontology

CONCEPTS = pd.DataFrame(
    {
        "concept_idx": [0, 1, 2],
        "concept_id": ["GO:1000003", "GO:1000005", "GO:2000002"],
        "aspect": ["BPO", "BPO", "MFO"],
    }
)
# P1 has both aspects, P2 a process that is no concept, P3 a function, P4 nothing.
PAIRS = pd.DataFrame(
    [
        ("P1", "GO:1000005"),
        ("P1", "GO:2000002"),
        ("P2", "GO:1000002"),
        ("P3", "GO:2000002"),
        ("P9", "GO:1000003"),
    ],
    columns=["protein_id", "concept_id"],
)
PROTEINS = pd.DataFrame({"protein_id": ["P4", "P3", "P2", "P1"]})


def test_table_is_exactly_this(toy: Ontology):
    labels = label_table(PAIRS, PROTEINS, CONCEPTS, toy.terms)
    assert labels.to_numpy().tolist() == [
        ["P1", 1, 1],
        ["P1", 2, 1],
        ["P2", 2, -1],
        ["P3", 0, -1],
        ["P3", 1, -1],
        ["P3", 2, 1],
        ["P4", 0, -1],
        ["P4", 1, -1],
        ["P4", 2, -1],
    ]
    assert (labels["concept_idx"].dtype, labels["label"].dtype) == (np.int32, np.int8)


def test_matrix_follows_the_order_asked_for(toy: Ontology):
    table = label_table(PAIRS, PROTEINS, CONCEPTS, toy.terms)
    for kind in ("category", "str"):
        labels, labelled = label_matrix(table.astype({"protein_id": kind}), 3, ["P3", "P1", "P2"])
        assert labels.tolist() == [[0, 0, 1], [0, 1, 1], [0, 0, 0]]
        assert labelled.tolist() == [[False, False, True], [True, True, True], [True, True, False]]
        assert (labels.dtype, labelled.dtype) == (np.float32, np.bool_)


def test_table_survives_parquet(toy: Ontology, tmp_path):
    table = label_table(PAIRS, PROTEINS, CONCEPTS, toy.terms)
    table.to_parquet(tmp_path / "x.parquet")
    again = pd.read_parquet(tmp_path / "x.parquet")
    assert label_matrix(again, 3, ["P4", "P1"])[0].tolist() == [[0, 0, 0], [0, 1, 1]]
    assert again.to_numpy().tolist() == table.to_numpy().tolist()
