"""Batches that run out of memory."""

import pytest
import torch

from protsae.core.errors import InputError
from protsae.plm.halving import run_or_halve


def model_that_holds(n, error):
    def run(sequences):
        if len(sequences) > n:
            raise error
        return "".join(sequences)

    return run


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_halves_are_run_in_order_and_counted(error):
    found = list(run_or_halve(model_that_holds(2, error), list("abcdefg")))
    # 7 -> 3 + 4 -> (1 + 2) + (2 + 2)
    assert [(list(part), text) for part, text, _ in found] == [
        ([0], "a"), ([1, 2], "bc"), ([3, 4], "de"), ([5, 6], "fg"),
    ]  # fmt: skip
    assert [halvings for *_, halvings in found] == [2, 0, 1, 0]


def test_a_batch_that_fits_is_run_as_it_is():
    assert list(run_or_halve(model_that_holds(3, MemoryError()), list("abc"))) == [(range(3), "abc", 0)]


def test_one_sequence_that_is_too_much_is_named():
    with pytest.raises(InputError, match=r"of 3 residues alone .* extraction\.long_sequences to window"):
        list(run_or_halve(model_that_holds(0, MemoryError()), ["abc"]))


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"):
        list(run_or_halve(model_that_holds(0, RuntimeError("shapes differ")), list("ab")))
