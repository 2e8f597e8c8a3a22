"""Concepts that count once: near-twins by hand, effective numbers against eigenvalues."""

import numpy as np
import pandas as pd
import pytest

from protsae.probing.splits import SplitLabels
from protsae.probing.vocabulary import TWIN_COLUMNS, CountedOnce

N = 40


def concepts_of(ids, aspects=None):
    return pd.DataFrame(
        {"concept_id": ids, "name": [f"name of {i}" for i in ids], "aspect": aspects or ["BPO"] * len(ids)}
    )


def splits_of(labels, labelled=None):
    """Divide rows over training and validation; there is no test split that could be read."""
    labels = np.asarray(labels, bool)
    labelled = np.ones_like(labels) if labelled is None else labelled
    return {
        "train": SplitLabels([], labels[:25], labelled[:25]),
        "validation": SplitLabels([], labels[25:], labelled[25:]),
    }


def first(*sizes):
    """Return labels in which concept j is carried by the first `sizes[j]` proteins."""
    return np.arange(N)[:, None] < np.array(sizes)


def test_near_twins_are_represented_by_the_one_with_most_positives():
    labels = first(19, 20, 10, 20)
    once = CountedOnce.of(
        concepts_of(["a", "b", "c", "d"], ["BPO", "BPO", "BPO", "CCO"]), splits_of(labels), 0.9
    )
    assert once.representative.tolist() == [1, 1, 2, 3]  # d is the same as b, but of another aspect
    assert once.counts.tolist() == [False, True, True, True]
    assert once.represented_by.tolist() == ["b", "b", "c", "d"]
    assert once.jaccard.tolist() == pytest.approx([19 / 20, 1, 1, 1])
    table = once.twins()
    assert tuple(table.columns) == TWIN_COLUMNS
    assert table.iloc[0].tolist() == ["a", "name of a", "BPO", 19, "b", "name of b", pytest.approx(0.95)]
    assert len(table) == 1


@pytest.mark.parametrize(("max_jaccard", "counted"), [(0.94, 1), (0.95, 2), (1.0, 2)])
def test_only_what_exceeds_the_bound_is_a_twin(max_jaccard, counted):
    once = CountedOnce.of(concepts_of(["a", "b"]), splits_of(first(19, 20)), max_jaccard)
    assert once.counts.sum() == counted


def test_ties_go_to_the_first_id_and_order_changes_nothing():
    once = CountedOnce.of(concepts_of(["z", "a", "m"]), splits_of(first(20, 20, 20)), 0.9)
    assert once.represented_by.tolist() == ["a", "a", "a"]


def test_a_twin_of_a_twin_counts_unless_it_is_one_of_the_representative():
    """Neighbours in this chain overlap by .9, the ends by .81; the middle one is nearer to the larger end."""
    once = CountedOnce.of(concepts_of(["a", "b", "c"]), splits_of(first(40, 36, 32)), 0.85)
    assert once.represented_by.tolist() == ["a", "a", "c"]


def test_what_is_not_labelled_is_no_positive():
    labelled = np.ones((N, 2), bool)
    labelled[10:20, 0] = False  # ten positives of the first are not known
    once = CountedOnce.of(concepts_of(["a", "b"]), splits_of(first(20, 20), labelled), 0.9)
    assert once.n_positive.tolist() == [10, 20]
    assert once.counts.all()


def test_the_effective_number_is_the_participation_ratio_of_eigenvalues():
    rng = np.random.default_rng(0)
    shared = rng.random((N, 1)) < 0.5
    labels = np.where(rng.random((N, 6)) < 0.6, shared, rng.random((N, 6)) < 0.4)
    once = CountedOnce.of(concepts_of(list("abcdef")), splits_of(labels), 1.0)
    for columns in (np.arange(6), np.array([0, 3, 4])):
        eigenvalues = np.linalg.eigvalsh(np.corrcoef(labels[:, columns], rowvar=False))
        expected = eigenvalues.sum() ** 2 / np.square(eigenvalues).sum()
        assert once.n_effective(columns) == pytest.approx(expected)
    assert once.n_effective(np.arange(0)) == 0


def test_independent_concepts_count_one_each_and_equal_ones_as_one():
    bits = (np.arange(32)[:, None] >> np.arange(3)) % 2 == 1  # all combinations, equally often
    labels = np.concatenate([bits, bits[:, :1]], axis=1)
    once = CountedOnce.of(concepts_of(list("abcd")), splits_of(labels), 1.0)
    assert once.n_effective(np.array([0, 1, 2])) == pytest.approx(3)
    assert once.n_effective(np.array([0, 3])) == pytest.approx(1)
    assert once.n_effective(np.arange(4)) == pytest.approx(16 / 6)


def test_correlations_are_over_proteins_labelled_for_both():
    rng = np.random.default_rng(1)
    labels, labelled = rng.random((N, 3)) < 0.4, rng.random((N, 3)) < 0.7
    labels[:, 2] = False  # constant: correlates with nothing
    found = CountedOnce.of(concepts_of(list("abc")), splits_of(labels, labelled), 1.0).correlation
    rows = labelled[:, 0] & labelled[:, 1]
    assert found[0, 1] == found[1, 0] == pytest.approx(np.corrcoef(labels[rows, 0], labels[rows, 1])[0, 1])
    np.testing.assert_array_equal(found[2], [0, 0, 1])
