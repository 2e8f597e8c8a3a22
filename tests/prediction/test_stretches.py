"""Runs of residues, by hand."""

import numpy as np

from protsae.prediction.stretches import as_texts, joined, largest_of_groups


def test_runs_are_written_from_one_and_inclusive():
    texts = as_texts(np.array([0, 3, 11]), np.array([1, 3, 34]))
    assert texts.to_pylist() == ["1-2", "4", "12-35"]
    assert joined(texts, np.array([0, 2, 2, 3]), ";").to_pylist() == ["1-2;4", "", "12-35"]


def test_the_first_of_equals_is_the_largest_of_its_group():
    largest, place = largest_of_groups(np.array([3.0, 1.0, 2.0, 2.0, 3.0]), np.array([0, 1, 4]))
    assert largest.tolist() == [3, 2, 3] and place.tolist() == [0, 2, 4]
    assert largest_of_groups(np.zeros(0), np.zeros(0, int))[1].tolist() == []
