"""The kernels on CUDA devices: sums and products over the rows that sparse codes name, in Triton.

What is chosen (the k largest) is chosen by torch. Sums are made in an order that depends on nothing but their
terms, without atomic additions: the same input gives the same bits. Import this module inside functions, and
only where Triton is installed.
"""

from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from protsae.sae.kernels import plain

compress, encode, encode_batch = plain.compress, plain.encode, plain.encode_batch
fired, select = plain.fired, plain.select
prefix_energies, prefix_energies_back = plain.prefix_energies, plain.prefix_energies_back

_WIDEST = 512
"""Most dimensions that one program works on."""
_ENTRIES = 16
"""Codes of a latent that are read at a time."""


def _kernel(function: Callable[..., None]) -> Any:
    """Compile by Triton: its decorator is untyped."""
    return triton.jit(function)


@_kernel
def _add_rows(values, columns, weights, out, k, d, width: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * width + tl.arange(0, width)
    inside = place < d
    total = tl.zeros((width,), dtype=out.dtype.element_ty)
    for j in range(k):
        value = tl.load(values + row * k + j)
        if value != 0:
            column = tl.load(columns + row * k + j)
            total += value * tl.load(weights + column * d + place, mask=inside, other=0)
    tl.store(out + row * d + place, total, mask=inside)


@_kernel
def _dot_rows(values, columns, weights, vectors, out, k, d, width: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    code = row * k + tl.program_id(1)
    total = tl.zeros((width,), dtype=out.dtype.element_ty)
    if tl.load(values + code) != 0:
        column = tl.load(columns + code)
        for start in range(0, d, width):
            place = start + tl.arange(0, width)
            inside = place < d
            weight = tl.load(weights + column * d + place, mask=inside, other=0)
            total += weight * tl.load(vectors + row * d + place, mask=inside, other=0)
    tl.store(out + code, tl.sum(total, axis=0))


@_kernel
def _gather_rows(  # type: ignore[no-untyped-def]
    values, begins, entries, vectors, out, sums, k, d, n_entries: tl.constexpr, width: tl.constexpr
):
    column = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    place = part * width + tl.arange(0, width)
    inside = place < d
    total = tl.zeros((width,), dtype=out.dtype.element_ty)
    of_values = tl.zeros((n_entries,), dtype=out.dtype.element_ty)
    last = tl.load(begins + column + 1)
    for start in range(tl.load(begins + column), last, n_entries):
        at = start + tl.arange(0, n_entries)
        here = at < last
        entry = tl.load(entries + at, mask=here, other=0)
        value = tl.load(values + entry, mask=here, other=0)
        rows = vectors + (entry // k)[:, None] * d + place[None, :]
        block = tl.load(rows, mask=here[:, None] & inside[None, :], other=0)
        total += tl.sum(value[:, None] * block, axis=0)
        of_values += value
    tl.store(out + column * d + place, total, mask=inside)
    if part == 0:
        tl.store(sums + column, tl.sum(of_values, axis=0))


def add_rows(values: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
    """See `plain.add_rows`."""
    values, columns, weights = (tensor.contiguous() for tensor in (values, columns, weights))
    (n, k), d = columns.shape, weights.shape[1]
    out = weights.new_empty(n, d)
    width = _width(d)
    if out.numel():
        _add_rows[(n, -(-d // width))](values, columns, weights, out, k, d, width)
    return out


def dot_rows(values: Tensor, columns: Tensor, weights: Tensor, vectors: Tensor) -> Tensor:
    """See `plain.dot_rows`."""
    arrays = [tensor.contiguous() for tensor in (values, columns, weights, vectors)]
    (n, k), d = columns.shape, weights.shape[1]
    out = weights.new_empty(n, k)
    if out.numel():
        _dot_rows[(n, k)](*arrays, out, k, d, _width(d))
    return out


def gather_rows(values: Tensor, columns: Tensor, vectors: Tensor, out: Tensor) -> Tensor:
    """See `plain.gather_rows`."""
    values, vectors = values.contiguous(), vectors.contiguous()
    (d_sae, d), k = out.shape, columns.shape[1]
    # Codes of value 0 go after the last latent; rows stay in order within a latent.
    latents = columns.where(values != 0, d_sae).flatten()
    ordered, entries = latents.sort(stable=True)
    begins = torch.searchsorted(ordered, torch.arange(d_sae + 1, device=out.device))
    sums, width = out.new_empty(d_sae), _width(d)
    grid = (d_sae, -(-d // width))
    _gather_rows[grid](values, begins, entries, vectors, out, sums, k, d, _ENTRIES, width)
    return sums


def _width(d: int) -> int:
    return min(_WIDEST, int(triton.next_power_of_2(d)))
