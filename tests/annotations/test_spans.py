"""Spans: sorting, numbering and counting against loops over residues."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.annotations.spans import number_instances, residue_counts, span_rows, span_table

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["P2", "P1", "Q"]),
        st.sampled_from(["a", "b"]),
        st.integers(0, 4),
        st.integers(0, 8),
        st.integers(1, 4),
    ).map(lambda row: (*row[:4], row[3] + row[4])),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_the_table_is_the_sorted_set_of_rows(rows):
    expected = sorted(set(rows), key=lambda row: (row[0], row[1], row[3], row[4], row[2]))
    found = span_table(rows)
    assert [tuple(row) for row in found.to_numpy().tolist()] == expected
    pd.testing.assert_frame_equal(span_table(found[::-1]), found)


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_residues_under_several_spans_count_once(rows):
    slow: dict[tuple[str, str], set[int]] = {}
    for protein, concept, _, start, end in rows:
        slow.setdefault((protein, concept), set()).update(range(start, end))
    expected = [[*pair, len(residues)] for pair, residues in sorted(slow.items())]
    assert residue_counts(span_table(rows)).to_numpy().tolist() == expected


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_instances_are_numbered_by_where_they_start(rows):
    slow = []
    for protein, concept in sorted({row[:2] for row in rows}):
        own = [row for row in rows if row[:2] == (protein, concept)]
        first = {i: min(row[3] for row in own if row[2] == i) for i in {row[2] for row in own}}
        rank = {i: n for n, i in enumerate(sorted(first, key=lambda i: (first[i], i)))}
        slow += [(protein, concept, rank[i], start, end) for _, _, i, start, end in own]
    pd.testing.assert_frame_equal(number_instances(span_table(rows)), span_table(slow))


def test_positions_of_spans_come_one_after_another():
    positions, which = span_rows(np.array([3, 0, 7]), np.array([5, 0, 8]))
    assert positions.tolist() == [3, 4, 7]
    assert which.tolist() == [0, 0, 2]
