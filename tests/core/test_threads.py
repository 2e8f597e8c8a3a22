"""Threads: results in the order of the items, errors passed on."""

import time
from collections.abc import Iterator

import pytest
import torch

from protsae.core.threads import MAX_THREADS, in_threads, in_torch_threads, n_threads


def test_results_come_in_the_order_of_the_items() -> None:
    def late_first(item: int) -> int:
        time.sleep(0.02 * (3 - item))
        return item * item

    assert list(in_threads(late_first, range(4))) == [0, 1, 4, 9]
    assert list(in_threads(late_first, [])) == []
    assert 1 <= n_threads() <= MAX_THREADS


def test_an_error_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda item: 1 / item, [1, 0]))


@pytest.mark.parametrize("n", [1, 3])
def test_each_call_has_one_of_torchs_threads_and_items_are_taken_as_needed(n: int) -> None:
    def own_threads(item: int) -> tuple[int, int]:
        time.sleep(0.02 * (item % 3 == 0))
        return item, torch.get_num_threads()

    before, taken = torch.get_num_threads(), 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(12):
            taken += 1
            yield item

    torch.set_num_threads(n)
    try:
        for item, (found, n_threads_there) in enumerate(in_torch_threads(own_threads, items())):
            assert (found, n_threads_there) == (item, 1)
            assert taken <= item + n + 1
        assert taken == 12 and torch.get_num_threads() == n
    finally:
        torch.set_num_threads(before)
