"""A small pool of threads for compiled code that works without the interpreter's lock."""

import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
MAX_THREADS = 16


def n_threads() -> int:
    """Return how many threads this process may keep busy, at most `MAX_THREADS`."""
    try:
        n_cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        n_cores = os.cpu_count() or 1
    return min(n_cores, MAX_THREADS)


def in_threads(function: Callable[[T], R], items: Collection[T]) -> Iterator[R]:
    """Yield the function's value for each item, in the order of the items."""
    with ThreadPoolExecutor(n_threads()) as pool:
        yield from pool.map(function, items)
