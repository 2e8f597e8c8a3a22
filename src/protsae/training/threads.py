"""How many threads torch computes with, for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Compute with `n_threads` threads, and go back to the number before when the block ends.

    The order of summation, and so the last bits, depend on the number; and on cores that others use too,
    every parallel loop waits for its slowest thread.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
