"""Labels: positive, negative and not labelled, of proteins and of residues."""

import numpy as np
import pandas as pd
import pytest

from protsae.annotations.labels import LabelTables, label_matrix, label_table, residue_label_table
from protsae.annotations.spans import span_table
from protsae.core.errors import InputError

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
        ("P3", "GO:2000002"),
        ("P1", "GO:2000002"),
        ("P1", "GO:1000005"),
        ("P2", "GO:1000002"),
    ],
    columns=["protein_id", "concept_id"],
)
LABELLED = pd.DataFrame(
    [("P1", "BPO"), ("P1", "MFO"), ("P2", "BPO"), ("P3", "MFO"), ("P3", "motif"), ("P9", "BPO")],
    columns=["protein_id", "aspect"],
)


def test_table_holds_the_positives_in_order():
    labels = label_table(PAIRS, CONCEPTS)
    assert labels.to_numpy().tolist() == [["P1", 1], ["P1", 2], ["P3", 2]]
    assert labels["concept_idx"].dtype == np.int32


def test_matrix_follows_the_order_asked_for():
    table = label_table(PAIRS, CONCEPTS)
    for kind in ("category", "str"):
        labels, labelled = label_matrix(
            table.astype({"protein_id": kind}), LABELLED, CONCEPTS, ["P3", "P1", "P2", "P4"]
        )
        assert labels.tolist() == [[0, 0, 1], [0, 1, 1], [0, 0, 0], [0, 0, 0]]
        assert labelled.tolist() == [
            [False, False, True],
            [True, True, True],
            [True, True, False],
            [False, False, False],
        ]
        assert (labels.dtype, labelled.dtype) == (np.float32, np.bool_)


def test_a_positive_counts_only_where_the_protein_is_labelled():
    labels, labelled = label_matrix(label_table(PAIRS, CONCEPTS), LABELLED[1:], CONCEPTS, ["P1"])
    assert labels.tolist() == [[0, 0, 1]]
    assert labelled.tolist() == [[False, False, True]]


def test_table_survives_parquet(tmp_path):
    table = label_table(PAIRS, CONCEPTS)
    table.to_parquet(tmp_path / "x.parquet")
    again = pd.read_parquet(tmp_path / "x.parquet")
    assert label_matrix(again, LABELLED, CONCEPTS, ["P4", "P1"])[0].tolist() == [[0, 0, 0], [0, 1, 1]]
    assert again.to_numpy().tolist() == table.to_numpy().tolist()


def test_stretches_of_other_terms_are_left():
    spans = span_table([("P1", "GO:2000002", 0, 4, 9), ("P1", "x", 0, 0, 1), ("P0", "GO:2000002", 1, 0, 2)])
    found = residue_label_table(spans, CONCEPTS)
    assert found.to_numpy().tolist() == [
        ["P0", 2, 1, 0, 2],
        ["P1", 2, 0, 4, 9],
    ]


def test_concepts_out_of_order_are_refused():
    swapped = CONCEPTS.iloc[::-1]
    for use in (
        lambda: label_matrix(label_table(PAIRS, CONCEPTS), LABELLED, swapped, ["P1"]),
        lambda: LabelTables(swapped, PAIRS, LABELLED, PAIRS),
    ):
        with pytest.raises(InputError, match=r"concepts: row 0 is concept_idx 2.*--pipelines labelling"):
            use()
