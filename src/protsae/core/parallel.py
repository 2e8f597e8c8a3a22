"""Parts of one job on threads, for compiled code that runs without the interpreter's lock."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise


@cache
def _pool(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix="protsae-part")


# Threads do not survive a fork: a child makes its own.
os.register_at_fork(after_in_child=_pool.cache_clear)


def run_parts(work: Callable[[int, int], None], bounds: Sequence[int]) -> None:
    """Call `work(first, last)` for neighbouring pairs of `bounds` at the same time, and wait for all.

    The calling thread does the last part itself.
    """
    parts = [pair for pair in pairwise(bounds) if pair[0] < pair[1]]
    if not parts:
        return
    others = [_pool(len(parts) - 1).submit(work, *pair) for pair in parts[:-1]]
    try:
        work(*parts[-1])
    finally:
        for other in others:
            other.result()


def even_bounds(n: int, n_parts: int) -> list[int]:
    """Return the `n_parts + 1` bounds of parts of n things, as even as can be."""
    return [n * part // n_parts for part in range(n_parts + 1)]
