"""A small pool of threads for compiled code that works without the interpreter's lock."""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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


def in_torch_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the function's value for each item, in order, on torch's number of threads, each call on one.

    Items are taken as they are needed: as many wait as there are threads.
    """
    import torch

    n = torch.get_num_threads()
    if n == 1:
        yield from map(function, items)
        return
    try:
        with ThreadPoolExecutor(n, initializer=lambda: torch.set_num_threads(1)) as pool:
            waiting = deque[Future[R]]()
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > n:
                    yield waiting.popleft().result()
            yield from (future.result() for future in waiting)
    finally:
        torch.set_num_threads(n)  # new threads inherit the number set last
