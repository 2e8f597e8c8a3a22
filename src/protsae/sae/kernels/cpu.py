"""The kernels on a CPU: torch tensors in and out, compiled loops on torch's number of threads between.

Bits depend neither on the number of threads nor on the run. float32 and float64 only. Import this module
inside functions: numba is slow to load.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.core.parallel import even_bounds, run_parts
from protsae.sae.kernels import balls, lasso, lifting, rows, thresholds, updates
from protsae.sae.kernels.batch import compress, encode_batch
from protsae.sae.kernels.encoding import encode, select

__all__ = [
    "adam",
    "add_rows",
    "ball_excess",
    "ball_excess_back",
    "between",
    "compress",
    "dot_rows",
    "encode",
    "encode_batch",
    "fired",
    "gather_rows",
    "lasso_codes",
    "lift",
    "lift_back",
    "measure",
    "select",
]

_PARTS = 16
"""Parts whose sums are added up in the end: their number, and so the bits, depend on no thread."""
Floats = NDArray[np.floating]


def fired(values: Tensor, columns: Tensor, d_sae: int) -> Tensor:
    """See `plain.fired`."""
    out = torch.zeros(d_sae, dtype=torch.bool)
    rows.mark(values.detach().contiguous().numpy(), columns.contiguous().numpy(), out.numpy())
    return out


def between(numbers: Tensor, labelled: Tensor, segment: Tensor, n_above: Tensor) -> Tensor:
    """Return what `thresholds.between` fills [m]."""
    out = numbers.new_empty(numbers.shape[1])
    arrays = [t.detach().contiguous().numpy() for t in (numbers, labelled, segment, n_above)]
    integers = np.empty(0, np.int32 if numbers.dtype == torch.float32 else np.int64)

    def work(first: int, last: int) -> None:
        thresholds.between(arrays[0], arrays[1], arrays[2], arrays[3], integers, out.numpy(), first, last)

    run_parts(work, even_bounds(len(out), torch.get_num_threads()))
    return out


def ball_excess(centres: Tensor, radii: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far balls stick out of others and how far their centres are apart; see `balls.excess`."""
    distances, out = radii.new_empty(len(pairs)), radii.new_empty(len(pairs))
    points, reach, ends = (t.detach().contiguous().numpy() for t in (centres, radii, pairs))
    balls.excess(points, reach, ends, distances.numpy(), out.numpy())
    return out, distances


def ball_excess_back(
    gradient: Tensor, centres: Tensor, pairs: Tensor, distances: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of centres and radii; see `balls.excess_back`."""
    slopes, points, ends, apart = (t.contiguous().numpy() for t in (gradient, centres, pairs, distances))
    of_centres = torch.empty_like(centres, memory_format=torch.contiguous_format)
    of_radii = centres.new_empty(len(centres))
    balls.excess_back(slopes, points, ends, apart, of_centres.numpy(), of_radii.numpy())
    return of_centres, of_radii


def lift(
    scale: Tensor, levels: Tensor, logits: Tensor, gate_logit: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return evidence, driven, values and columns as `lifting.lift` fills them."""
    table, gate, scales, heights = (
        t.detach().contiguous().numpy() for t in (logits, gate_logit, scale, levels)
    )
    n, counts = len(table), np.empty(len(table), np.int64)
    bounds = even_bounds(n, torch.get_num_threads())
    run_parts(lambda first, last: lifting.count_open(table, gate, counts, first, last), bounds)
    w = int(counts.max(initial=0))
    evidence, driven, values = (logits.new_empty(n, w) for _ in range(3))
    columns = torch.empty(n, w, dtype=torch.int64)
    found, drive, lifted, places = (t.numpy() for t in (evidence, driven, values, columns))

    def work(first: int, last: int) -> None:
        lifting.lift(table, gate, scales, heights, found, drive, lifted, places, first, last)

    run_parts(work, bounds)
    return evidence, driven, values, columns


def lift_back(
    gradient: Tensor, evidence: Tensor, driven: Tensor, columns: Tensor, levels: Tensor, m: int
) -> tuple[Tensor, Tensor]:
    """Return the gradients of scale [m] and levels [n]; see `lifting.lift_back`."""
    g, found, drive, places, heights = (
        t.contiguous().numpy() for t in (gradient, evidence, driven, columns, levels)
    )
    of_levels, of_scale = torch.empty_like(levels), levels.new_empty(_PARTS, m)
    parts = np.array(even_bounds(len(g), _PARTS))
    outputs = of_levels.numpy(), of_scale.numpy()

    def work(first: int, last: int) -> None:
        lifting.lift_back(g, found, drive, places, heights, outputs[0], outputs[1], parts, first, last)

    run_parts(work, even_bounds(_PARTS, torch.get_num_threads()))
    return of_scale.sum(dim=0), of_levels


def lasso_codes(gram: Tensor, slopes: Tensor, bounds: Tensor, most_steps: int) -> tuple[Tensor, Tensor]:
    """Return codes [n, m] and which rows are not solved [n]; see `lasso.descend`."""
    codes, is_open = torch.empty_like(slopes), torch.empty(len(slopes), dtype=torch.bool)
    left, products, limits = slopes.clone().numpy(), gram.contiguous().numpy(), bounds.contiguous().numpy()

    def work(first: int, last: int) -> None:
        lasso.descend(left, products, limits, most_steps, codes.numpy(), is_open.numpy(), first, last)

    run_parts(work, even_bounds(len(codes), torch.get_num_threads()))
    return codes, is_open


def add_rows(values: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
    """See `plain.add_rows`."""
    out = weights.new_empty(len(values), weights.shape[1])
    codes, places, table = (tensor.contiguous().numpy() for tensor in (values, columns, weights))

    def work(first: int, last: int) -> None:
        rows.add_rows(codes, places, table, out.numpy(), first, last)

    run_parts(work, even_bounds(len(values), torch.get_num_threads()))
    return out


def dot_rows(values: Tensor, columns: Tensor, weights: Tensor, vectors: Tensor) -> Tensor:
    """See `plain.dot_rows`."""
    out = weights.new_empty(columns.shape)
    codes, places, table, left = (t.contiguous().numpy() for t in (values, columns, weights, vectors))

    def work(first: int, last: int) -> None:
        rows.dot_rows(codes, places, table, left, out.numpy(), first, last)

    run_parts(work, even_bounds(len(columns), torch.get_num_threads()))
    return out


def gather_rows(values: Tensor, columns: Tensor, vectors: Tensor, out: Tensor) -> Tensor:
    """See `plain.gather_rows`."""
    d_sae = len(out)
    sums = out.new_empty(d_sae)
    codes = values.contiguous().numpy()
    begins, entries = rows.by_column(codes, columns.contiguous().numpy(), d_sae)
    arrays = (codes, begins, entries, vectors.contiguous().numpy())

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
