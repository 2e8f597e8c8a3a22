"""Compiled loops over parts of their rows, on torch's number of threads."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from protsae.core.parallel import even_bounds, run_parts


def as_array(tensor: Tensor) -> Any:
    """Return a tensor's numbers as a contiguous array."""
    return tensor.detach().contiguous().numpy()


def run_rows(loop: Callable[..., None], n: int, *arguments: Any) -> None:
    """Run `loop(*arguments, first, last)` over n rows, a part of them on each thread.

    Args:
        loop: fills rows `first` to `last` of its outputs.
        n: number of rows.
        arguments: arrays, numbers, and tensors, which become arrays; outputs are contiguous.
    """
    run_bounds(loop, even_bounds(n, torch.get_num_threads()), *arguments)


def run_bounds(loop: Callable[..., None], bounds: Sequence[int], *arguments: Any) -> None:
    """Do the same over parts that end at `bounds`."""
    inputs = [as_array(value) if isinstance(value, Tensor) else value for value in arguments]
    run_parts(lambda first, last: loop(*inputs, first, last), bounds)
