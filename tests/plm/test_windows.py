"""Windows over long proteins, against a search over all residues."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protsae.plm.windows import Window, windows_of


def test_a_protein_up_to_the_size_is_one_window():
    assert windows_of(1, 10, 3) == [Window(0, 1, 0, 1)]
    assert windows_of(10, 10, 3) == [Window(0, 10, 0, 10)]


def test_windows_worked_by_hand():
    # 11 residues, windows of 10 from 0 and 1: middles 4.5 and 5.5, residue 5 is as near to both
    assert windows_of(11, 10, 3) == [Window(0, 10, 0, 6), Window(1, 11, 6, 11)]
    # 24 residues: two windows would overlap by none, three start at 0, 7, 14; middles 4.5, 11.5, 18.5
    assert windows_of(24, 10, 3) == [Window(0, 10, 0, 9), Window(7, 17, 9, 16), Window(14, 24, 16, 24)]


@given(st.integers(1, 400), st.integers(1, 60), st.integers(0, 59))
def test_every_residue_comes_once_from_the_most_central_window(length, size, overlap):
    overlap = min(overlap, size - 1)
    windows = windows_of(length, size, overlap)
    taken = [(r, w) for w in windows for r in range(w.first, w.last)]
    assert [r for r, _ in taken] == list(range(length))
    for residue, window in taken:
        holders = [w for w in windows if w.start <= residue < w.end]
        nearest = min(holders, key=lambda w: (abs(2 * residue - w.start - w.end + 1), w.start))
        assert window == nearest
    for one, other in pairwise(windows):
        assert one.end - other.start >= overlap
    assert all(w.end - w.start == min(size, length) for w in windows)


@pytest.mark.parametrize(("length", "n"), [(1022, 1), (1023, 2), (1788, 2), (1789, 3), (35_000, 46)])
def test_there_are_no_more_windows_than_the_overlap_asks_for(length, n):
    windows = windows_of(length, 1022, 256)
    assert len(windows) == n
    inner = [w.first - w.start for w in windows[1:]] + [w.end - w.last for w in windows[:-1]]
    assert all(margin >= 128 - 1 for margin in inner)
