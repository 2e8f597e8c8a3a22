"""Sparse codes against what they stand for."""

import torch

from protsae.sae.codes import SparseCodes, joined_codes, mean_active
from protsae.sae.kernels import fired

CODES = SparseCodes(torch.tensor([[0.5, 0.0], [2.0, 1.0]]), torch.tensor([[3, 1], [0, 3]]))


def test_dense_codes_hold_the_values_at_their_columns():
    assert CODES.dense(5).tolist() == [[0, 0, 0, 0.5, 0], [2, 0, 0, 1, 0]]


def test_joined_codes_are_as_wide_as_the_widest():
    narrow = SparseCodes(torch.tensor([[7.0]]), torch.tensor([[2]]))
    joined = joined_codes([narrow, CODES])
    assert joined.dense(5).tolist() == [[0, 0, 7, 0, 0], *CODES.dense(5).tolist()]
    assert joined.values.shape == (3, 2)
    assert float(joined.l0()) == 4 / 3


def test_a_latent_that_was_chosen_at_zero_did_not_fire():
    assert fired(CODES, 5).tolist() == [True, False, False, True, False]


def test_l0_counts_the_positive_codes():
    assert float(CODES.l0()) == float(mean_active(CODES.dense(5))) == 1.5
