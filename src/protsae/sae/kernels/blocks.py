"""The kernels by dense products over blocks of rows, for codes too many to be called sparse.

A block of dense codes is held at a time, so memory does not grow with the batch. On CPUs: there is nothing to
win elsewhere.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from protsae.sae.kernels.plain import compress, encode, encode_batch, fired, select

_BLOCK_BYTES = 16 * 2**20


def add_rows(values: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
    """See `plain.add_rows`."""
    out = weights.new_empty(len(values), weights.shape[1])
    with _as_given():
        for block in _blocks(values, len(weights)):
            torch.mm(_dense(values[block], columns[block], len(weights)), weights, out=out[block])
    return out


def dot_rows(values: Tensor, columns: Tensor, weights: Tensor, vectors: Tensor) -> Tensor:
    """See `plain.dot_rows`."""
    out = weights.new_empty(columns.shape)
    with _as_given():
        for block in _blocks(out, len(weights)):
            torch.gather(vectors[block] @ weights.T, 1, columns[block], out=out[block])
    return out.masked_fill_(values == 0, 0)


def gather_rows(values: Tensor, columns: Tensor, vectors: Tensor, out: Tensor) -> Tensor:
    """See `plain.gather_rows`."""
    sums = out.zero_().new_zeros(len(out))
    with _as_given():
        for block in _blocks(values, len(out)):
            dense = _dense(values[block], columns[block], len(out))
            out.addmm_(dense.T, vectors[block])
            sums += dense.sum(dim=0)
    return sums


def _as_given() -> torch.autocast:
    return torch.autocast("cpu", enabled=False)


def _blocks(like: Tensor, d_sae: int) -> Iterator[slice]:
    n_rows = max(1, _BLOCK_BYTES // (like.element_size() * d_sae))
    return (slice(first, first + n_rows) for first in range(0, len(like), n_rows))


def _dense(values: Tensor, columns: Tensor, d_sae: int) -> Tensor:
    return values.new_zeros(len(values), d_sae).scatter_add_(1, columns, values)


__all__ = [
    "add_rows",
    "compress",
    "dot_rows",
    "encode",
    "encode_batch",
    "fired",
    "gather_rows",
    "select",
]
