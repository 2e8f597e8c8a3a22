"""Residue labels, row by row, against a loop over spans and residues."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables, ResidueLabels, residue_label_table
from protsae.annotations.spans import span_table
from protsae.core.errors import InputError

N_CONCEPTS = 4
LENGTHS = {"A": 5, "B": 1, "C": 9, "D": 3, "E": 4}
# Overlapping spans of one concept and of two, one-residue spans, two spans of one instance, a whole protein,
# a span up to the last residue, and D without any. Z is not asked for.
SPANS = pd.DataFrame(
    [
        ("A", 0, 0, 1, 4), ("A", 0, 1, 3, 5), ("A", 2, 0, 3, 4), ("B", 3, 0, 0, 1), ("C", 1, 0, 2, 3),
        ("C", 1, 0, 7, 8), ("C", 3, 0, 0, 9), ("E", 2, 0, 3, 4), ("Z", 1, 0, 0, 2),
    ],
    columns=list(RESIDUE_LABEL_COLUMNS),
)  # fmt: skip


def slow(spans, protein_ids, lengths):
    """Labels of every residue of every protein [n_residues, n_concepts], and the proteins of the residues."""
    rows, owner = [], []
    for position, protein_id in enumerate(protein_ids):
        for residue in range(lengths[protein_id]):
            row = [0.0] * N_CONCEPTS
            for span in spans.itertuples():
                if span.protein_id == protein_id and span.start <= residue < span.end:
                    row[span.concept_idx] = 1.0
            rows.append(row)
            owner.append((position, residue))
    return np.array(rows).reshape(-1, N_CONCEPTS), np.array(owner, dtype=np.int64).reshape(-1, 2)


def check(spans, protein_ids, lengths, labelled):
    index = ResidueLabels.of(spans, protein_ids, lengths)
    expected, owner = slow(spans, protein_ids, lengths)
    assert np.diff(index.first_row).tolist() == [lengths[protein_id] for protein_id in protein_ids]
    dense = index.dense(owner[:, 0], owner[:, 1], N_CONCEPTS)
    assert dense.dtype == np.float32
    np.testing.assert_array_equal(dense, expected)
    shuffled = np.random.default_rng(0).permutation(len(owner))[::2]  # any residues, in any order
    some = index.dense(owner[shuffled, 0], owner[shuffled, 1], N_CONCEPTS)
    np.testing.assert_array_equal(some, expected[shuffled])
    counted = (expected * labelled[owner[:, 0]]).sum(axis=0)
    assert index.counts(labelled).tolist() == counted.tolist()


@pytest.mark.parametrize("protein_ids", [list("ABCDE"), list("EDCBA"), ["C", "A"], ["D"], []])
def test_equal_to_a_loop_in_any_order_of_proteins(protein_ids):
    labelled = np.ones((len(protein_ids), N_CONCEPTS), dtype=bool)
    check(SPANS, protein_ids, LENGTHS, labelled)
    check(SPANS.sample(frac=1, random_state=0), protein_ids, LENGTHS, labelled)
    check(SPANS.head(0), protein_ids, LENGTHS, labelled)


def test_known_by_hand():
    index = ResidueLabels.of(SPANS, ["C", "D", "A"], LENGTHS)
    assert index.first_row.tolist() == [0, 9, 12, 17]
    assert index.counts(np.ones((3, N_CONCEPTS), dtype=bool)).tolist() == [4, 2, 1, 9]
    rows = index.dense(np.array([0, 2, 2, 1]), np.array([7, 3, 0, 2]), N_CONCEPTS)
    assert rows.tolist() == [[0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_residues_of_proteins_that_are_not_labelled_do_not_count():
    labelled = np.array([[True, False, True, True], [False, True, True, False]])
    index = ResidueLabels.of(SPANS, ["C", "A"], LENGTHS)
    assert index.counts(labelled).tolist() == [0, 0, 1, 9]


@st.composite
def span_tables(draw):
    lengths = {f"P{i}": n for i, n in enumerate(draw(st.lists(st.integers(1, 8), min_size=1, max_size=5)))}
    spans = []
    for _ in range(draw(st.integers(0, 12))):
        protein_id = draw(st.sampled_from(sorted(lengths)))
        start = draw(st.integers(0, lengths[protein_id] - 1))
        end = draw(st.integers(start + 1, lengths[protein_id]))
        concept, instance = draw(st.integers(0, N_CONCEPTS - 1)), draw(st.integers(0, 2))
        spans.append((protein_id, concept, instance, start, end))
    protein_ids = draw(st.lists(st.sampled_from(sorted(lengths)), unique=True))
    flags = st.lists(st.booleans(), min_size=N_CONCEPTS, max_size=N_CONCEPTS)
    labelled = [draw(flags) for _ in protein_ids]
    table = pd.DataFrame(spans, columns=list(RESIDUE_LABEL_COLUMNS))
    return table, protein_ids, lengths, np.array(labelled, dtype=bool).reshape(-1, N_CONCEPTS)


@given(span_tables())
def test_equal_to_a_loop_on_random_spans(drawn):
    check(*drawn)


def test_span_past_the_end_of_its_protein_is_refused():
    with pytest.raises(InputError, match=r"1 residue labels end after .* 2 to 3 of C, which has 2 residues"):
        ResidueLabels.of(SPANS.iloc[:5], ["A", "C", "B"], {**LENGTHS, "C": 2})


def test_table_holds_the_spans_of_the_concepts_alone():
    spans = span_table(
        [("B", "y", 0, 0, 1), ("A", "x", 1, 4, 6), ("A", "x", 0, 2, 3), ("A", "other", 0, 0, 9)]
    )
    concepts = pd.DataFrame({"concept_idx": [0, 1], "concept_id": ["y", "x"]})
    table = residue_label_table(spans, concepts)
    assert table.to_numpy().tolist() == [["A", 1, 0, 2, 3], ["A", 1, 1, 4, 6], ["B", 0, 0, 0, 1]]
    assert tuple(table.columns) == RESIDUE_LABEL_COLUMNS


def test_levels_are_those_of_the_concepts():
    concepts = pd.DataFrame({"concept_idx": [0, 1, 2], "level": ["protein", "residue", "residue"]})
    tables = LabelTables(concepts, SPANS.head(0), SPANS.head(0), SPANS.head(0))
    assert tables.is_residue_level.tolist() == [False, True, True]
