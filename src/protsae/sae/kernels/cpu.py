"""The kernels on a CPU: torch tensors in and out, compiled loops on torch's number of threads between.

Bits depend neither on the number of threads nor on the run. float32 and float64 only. Import this module
inside functions: numba is slow to load.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.sae.kernels import lasso, prefix_loops, rows, thresholds, updates
from protsae.sae.kernels.batch import compress, encode_batch
from protsae.sae.kernels.encoding import encode, select
from protsae.sae.kernels.loops import as_array, run_bounds, run_rows
from protsae.sae.kernels.plain import rows_at_once

__all__ = ["compress", "encode", "encode_batch", "select"]  # the kernels that other modules hold

Floats = NDArray[np.floating]


def fired(values: Tensor, columns: Tensor, d_sae: int) -> Tensor:
    """See `plain.fired`."""
    out = torch.zeros(d_sae, dtype=torch.bool)
    rows.mark(as_array(values), as_array(columns), out.numpy())
    return out


def between(numbers: Tensor, labelled: Tensor, segment: Tensor, n_above: Tensor) -> Tensor:
    """Return what `thresholds.between` fills [m]."""
    out = numbers.new_empty(numbers.shape[1])
    integers = np.empty(0, np.int32 if numbers.dtype == torch.float32 else np.int64)
    run_rows(thresholds.between, len(out), numbers, labelled, segment, n_above, integers, out)
    return out


def lasso_codes(gram: Tensor, slopes: Tensor, bounds: Tensor, most_steps: int) -> tuple[Tensor, Tensor]:
    """Return codes [n, m] and which rows are not solved [n]; see `lasso.descend`."""
    codes, is_open = torch.empty_like(slopes), torch.empty(len(slopes), dtype=torch.bool)
    run_rows(lasso.descend, len(codes), slopes.clone(), gram, bounds, most_steps, codes, is_open)
    return codes, is_open


def add_rows(values: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
    """See `plain.add_rows`."""
    out = weights.new_empty(len(values), weights.shape[1])
    run_rows(rows.add_rows, len(out), values, columns, weights, out)
    return out


def dot_rows(values: Tensor, columns: Tensor, weights: Tensor, vectors: Tensor) -> Tensor:
    """See `plain.dot_rows`."""
    out = weights.new_empty(columns.shape)
    run_rows(rows.dot_rows, len(out), values, columns, weights, vectors, out)
    return out


def gather_rows(values: Tensor, columns: Tensor, vectors: Tensor, out: Tensor) -> Tensor:
    """See `plain.gather_rows`."""
    sums, codes = out.new_empty(len(out)), as_array(values)
    begins, entries = rows.by_column(codes, as_array(columns), len(out))
    # Parts of as many entries each; the rows that have none cost something too.
    load = begins + np.arange(len(out) + 1)
    bounds = np.searchsorted(load, np.linspace(0, load[-1], torch.get_num_threads() + 1)).tolist()
    run_bounds(rows.gather_rows, bounds, codes, begins, entries, vectors, out.numpy(), sums)
    return sums


def prefix_energies(
    start: Tensor, values: Tensor, columns: Tensor, weights: Tensor, shares: Tensor
) -> tuple[Tensor, Tensor]:
    """See `plain.prefix_energies`."""
    residual = torch.empty_like(start, memory_format=torch.contiguous_format)
    energies = start.new_empty(len(start))
    inputs = (start, values, columns, weights, shares)
    run_rows(prefix_loops.prefix_energies, len(start), *inputs, residual, energies)
    return residual, energies


def prefix_energies_back(
    saved: tuple[Tensor, Tensor, Tensor, Tensor, Tensor], of_residual: Tensor, of_energies: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """See `plain.prefix_energies_back`. The gradients of rows, one for every code, are held for some rows of
    the batch at a time."""
    left, values, columns, weights, shares = saved
    (n, k), d = values.shape, left.shape[1]
    of_start, of_values, of_rows = torch.empty_like(left), torch.empty_like(values), torch.zeros_like(weights)
    n_rows = rows_at_once(left.element_size() * max(1, k) * d)
    vectors = left.new_empty(min(n, n_rows), k, d)
    by_row = (left.clone(), values, columns, shares, of_energies, of_residual, of_start, of_values)
    for chunk in (slice(first, first + n_rows) for first in range(0, n, n_rows)):
        rest, codes, places, *others = (as_array(tensor[chunk]) for tensor in by_row)
        arrays = (rest, codes, places, as_array(weights), *others, vectors)
        run_rows(prefix_loops.prefix_energies_back, len(codes), *arrays)
        begins, entries = rows.by_column(codes, places, len(weights))
        flat = (codes.reshape(-1), begins, entries, vectors.view(-1, d))
        run_rows(prefix_loops.subtract_by_column, len(weights), *flat, of_rows.numpy())
    return of_start, of_values, of_rows


def measure(parameter: Tensor, gradient: Tensor, *, unit: bool) -> float:
    """Return the gradient's sum of squares.

    Args:
        parameter: of any shape.
        gradient: in memory of the parameter's strides.
        unit: take away what lies along the parameter's rows first, which are of unit norm.
    """
    table = _table(parameter)
    squares = np.empty(len(table), table.dtype)
    run_rows(updates.measure, len(table), _table(gradient), table, unit, squares)
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
    gradients, table, means, squares = map(_table, (gradient, parameter, *moments))
    of_format = np.array(numbers, table.dtype)
    run_rows(updates.adam, len(table), gradients, table, means, squares, of_format, unit)


def _table(tensor: Tensor) -> Floats:
    """Return memory without gaps as an array of rows: a matrix as it lies, its transpose, or one row."""
    flat = tensor.detach()
    if flat.ndim == 2 and flat.T.is_contiguous():
        flat = flat.T if not flat.is_contiguous() else flat
    array: Floats = (flat if flat.ndim == 2 else flat.reshape(1, -1)).numpy()
    if not array.flags.c_contiguous:
        raise ValueError(f"memory of shape {tuple(tensor.shape)} and strides {tensor.stride()} has gaps")
    return array
