"""Threads: results in the order of the items, errors passed on."""

import time

import pytest

from protsae.core.threads import MAX_THREADS, in_threads, n_threads


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
