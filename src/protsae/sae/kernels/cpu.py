"""The kernels on a CPU: torch tensors in and out, compiled loops on torch's number of threads between.

Bits depend neither on the number of threads nor on the run. float32 and float64 only. Import this module
inside functions: numba is slow to load. Where more than one latent in `_SPARSE` is active, dense products by
blocks are faster (docs/results/training_speed.json), and their bits may depend on the threads.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.core.parallel import even_bounds, run_parts
from protsae.sae.kernels import blocks, rows, updates
from protsae.sae.kernels.encoding import encode, select

__all__ = ["adam", "add_rows", "compress", "dot_rows", "encode", "gather_rows", "measure", "select"]

_SPARSE = 8
Floats = NDArray[np.floating]


def compress(latent_acts: Tensor) -> tuple[Tensor, Tensor]:
    """See `plain.compress`."""
    acts, counts = latent_acts.contiguous().numpy(), np.empty(len(latent_acts), np.int64)
    rows.count_positive(acts, counts)
    k = int(counts.max(initial=0))
    values = latent_acts.new_empty(len(acts), k)
    columns = torch.empty(len(acts), k, dtype=torch.int64)
    rows.take_positive(acts, values.numpy(), columns.numpy())
    return values, columns


def add_rows(values: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
    """See `plain.add_rows`."""
    if _SPARSE * columns.shape[1] > len(weights):
        return blocks.add_rows(values, columns, weights)
    out = weights.new_empty(len(values), weights.shape[1])
    codes, places, table = (tensor.contiguous().numpy() for tensor in (values, columns, weights))

    def work(first: int, last: int) -> None:
        rows.add_rows(codes, places, table, out.numpy(), first, last)

    run_parts(work, even_bounds(len(values), torch.get_num_threads()))
    return out


def dot_rows(columns: Tensor, weights: Tensor, vectors: Tensor) -> Tensor:
    """See `plain.dot_rows`."""
    if _SPARSE * columns.shape[1] > len(weights):
        return blocks.dot_rows(columns, weights, vectors)
    out = weights.new_empty(columns.shape)
    places, table, left = (tensor.contiguous().numpy() for tensor in (columns, weights, vectors))

    def work(first: int, last: int) -> None:
        rows.dot_rows(places, table, left, out.numpy(), first, last)

    run_parts(work, even_bounds(len(columns), torch.get_num_threads()))
    return out


def gather_rows(values: Tensor, columns: Tensor, vectors: Tensor, out: Tensor) -> Tensor:
    """See `plain.gather_rows`."""
    if _SPARSE * columns.shape[1] > len(out):
        return blocks.gather_rows(values, columns, vectors, out)
    d_sae = len(out)
    sums = out.new_empty(d_sae)
    begins, entries = rows.by_column(columns.contiguous().numpy(), d_sae)
    arrays = (values.contiguous().numpy(), begins, entries, vectors.contiguous().numpy())

    def work(first: int, last: int) -> None:
        rows.gather_rows(*arrays, out.numpy(), sums.numpy(), first, last)

    n_parts = torch.get_num_threads()
    # Parts of as many entries each; the rows that have none cost something too.
    load = begins + np.arange(d_sae + 1)
    run_parts(work, np.searchsorted(load, np.linspace(0, load[-1], n_parts + 1)).tolist())
    return sums


def measure(parameter: Tensor, gradient: Tensor, *, unit: bool) -> float:
    """Return the gradient's sum of squares.

    Args:
        parameter: of any shape.
        gradient: in memory of the parameter's strides.
        unit: take away what lies along the parameter's rows first, which are of unit norm.
    """
    table, gradients = _table(parameter), _table(gradient)
    squares = np.empty(len(table), table.dtype)

    def work(first: int, last: int) -> None:
        updates.measure(gradients, table, unit, squares, first, last)

    run_parts(work, even_bounds(len(table), torch.get_num_threads()))
    return float(squares.sum(dtype=np.float64))


def adam(
    parameter: Tensor, gradient: Tensor, moments: tuple[Tensor, Tensor], numbers: list[float], *, unit: bool
) -> None:
    """Update a parameter and its moments in place.

    Args:
        parameter: of any shape.
        gradient: in memory of the parameter's strides.
        moments: the first and the second, likewise.
        numbers: see `updates.adam`.
        unit: hold the parameter's rows at unit norm.
    """
    table, gradients = _table(parameter), _table(gradient)
    means, squares = map(_table, moments)
    of_format = np.array(numbers, table.dtype)

    def work(first: int, last: int) -> None:
        updates.adam(gradients, table, means, squares, of_format, unit, first, last)

    run_parts(work, even_bounds(len(table), torch.get_num_threads()))


def _table(tensor: Tensor) -> Floats:
    """Return memory without gaps as an array of rows: a matrix as it lies, its transpose, or one row."""
    flat = tensor.detach()
    if flat.ndim == 2 and flat.T.is_contiguous():
        flat = flat.T if not flat.is_contiguous() else flat
    array: Floats = (flat if flat.ndim == 2 else flat.reshape(1, -1)).numpy()
    if not array.flags.c_contiguous:
        raise ValueError(f"memory of shape {tuple(tensor.shape)} and strides {tensor.stride()} has gaps")
    return array
