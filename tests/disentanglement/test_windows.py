"""Windows in the reduced alphabet: their inner products against positions compared one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.disentanglement.windows import REDUCED_ALPHABET, window_vectors

CLASS = {letter: number for number, members in enumerate(REDUCED_ALPHABET) for letter in members}


def compared(first: str, i: int, second: str, j: int, flank: int) -> float:
    """The share of positions of equal class, by eye."""
    hits = 0
    for offset in range(-flank, flank + 1):
        a, b = i + offset, j + offset
        ends = (not 0 <= a < len(first), not 0 <= b < len(second))
        if any(ends):
            hits += all(ends)
        else:
            ours = CLASS.get(first[a])
            hits += ours is not None and ours == CLASS.get(second[b])
    return hits / (2 * flank + 1)


def test_alphabet_is_as_published_and_has_each_amino_acid_once():
    assert sorted("".join(REDUCED_ALPHABET)) == sorted("ACDEFGHIKLMNPQRSTVWY")
    assert len(REDUCED_ALPHABET) == 10
    assert CLASS["L"] == CLASS["V"] == CLASS["I"] == CLASS["M"]
    assert CLASS["D"] == CLASS["N"] != CLASS["K"]


def test_a_case_by_hand():
    """LAK and VGR: classes equal, different, equal; the end before the first residue is shared too."""
    vectors = window_vectors({"p": "LAK", "q": "VGR"}, [("p", np.array([0, 1])), ("q", np.array([0, 1]))], 1)
    similarity = vectors @ vectors.T
    assert similarity[0, 2] == pytest.approx(2 / 3)  # end, L with V, A with G
    assert similarity[1, 3] == pytest.approx(2 / 3)  # L with V, A with G, K with R
    assert similarity[0, 3] == pytest.approx(0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("ACDEFGHIKLMNPQRSTVWYX", min_size=1, max_size=9), min_size=1, max_size=3),
    st.integers(0, 4),
)
def test_inner_products_are_shares_of_equal_positions(sequences, flank):
    named = {f"p{i}": sequence for i, sequence in enumerate(sequences)}
    items = [(name, np.arange(len(sequence))) for name, sequence in named.items()]
    vectors = window_vectors(named, items, flank)
    places = [(sequence, i) for sequence in sequences for i in range(len(sequence))]
    expected = [[compared(s, i, t, j, flank) for t, j in places] for s, i in places]
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=1e-6)


def test_no_residues_give_no_vectors():
    assert window_vectors({}, [], 5).shape == (0, 11 * 11)
