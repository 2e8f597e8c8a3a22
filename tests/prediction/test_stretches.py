"""Runs of residues, by hand."""

import numpy as np

from protsae.prediction.stretches import as_texts, stretches_of


def test_runs_are_written_from_one_and_inclusive():
    inside = np.array([[1, 0, 1], [1, 0, 0], [0, 0, 1], [1, 0, 1]], bool)
    texts = as_texts(stretches_of(inside), 3)
    assert texts == ["1-2;4", "", "1;3-4"]
