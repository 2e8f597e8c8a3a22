"""Loops for finding the k largest exactly by way of a product in bfloat16, compiled by numba.

Rounded to bfloat16, rows and latents have known errors, so a rough product bounds the exact one. What cannot
be among the k largest by these bounds is left out, and the few that can are computed in float32.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled, part, vectorised
from protsae.sae.kernels.selection import above, block_size, fill_maxima, keep_largest, largest, to_keys


@vectorised
def round_rows(rows: Any, rough: Any, norms: Any, errors: Any, first: int, last: int) -> None:
    """Fill the nearest bfloat16 numbers, each row's norm, and the norm of what rounding took away.

    Args:
        rows: float32 [n, d].
        rough: output int16 [n, d]: bits of bfloat16.
        norms: output float32 [n].
        errors: output float32 [n].
        first: row to begin with.
        last: row to stop before.
    """
    bits = rows.view(np.int32)
    nearest = np.empty(rows.shape[1], np.int32)
    back = nearest.view(np.float32)
    for i in range(first, last):
        row, row_bits, out = rows[i], bits[i], rough[i]
        square, lost = np.float32(0), np.float32(0)
        for t in range(len(row)):
            odd = (row_bits[t] >> np.int32(16)) & np.int32(1)
            nearest[t] = (row_bits[t] + np.int32(0x7FFF) + odd) & np.int32(-65536)
            out[t] = np.int16(nearest[t] >> np.int32(16))
        for t in range(len(row)):
            square += row[t] * row[t]
            lost += (row[t] - back[t]) * (row[t] - back[t])
        norms[i] = np.sqrt(square)
        errors[i] = np.sqrt(lost)


_ROUNDING = np.float32(2.0**-8)
"""What the product's own rounding to bfloat16 takes at most, as a share of the rounded product."""
_ADDING = np.float32(2.0**-21)
"""What sums with the bias lose at most, as a share of it."""


@part
def _off(product: Any, bias: Any, norm: Any, slack: Any) -> Any:
    """Return how far a rough product with the bias may be from the exact one."""
    return abs(product) * _ROUNDING + abs(bias) * _ADDING + norm * slack


@part
def fill_bounds(rough: Any, bias: Any, norms: Any, slack: Any, line: Any, bits: Any) -> None:
    """Fill upper bounds of one row's pre-activations.

    Args:
        rough: int16 [d_sae]: bits of the product in bfloat16.
        bias: float32 [d_sae].
        norms: float32 [d_sae] of the latents.
        slack: what the product of a latent of norm 1 may be off, but for its own rounding.
        line: output float32 [d_sae].
        bits: the same memory as int32.
    """
    for i in range(len(line)):
        bits[i] = np.int32(rough[i]) << np.int32(16)
    for i in range(len(line)):
        line[i] += bias[i] + _off(line[i], bias[i], norms[i], slack)


@part
def dot(a: Any, b: Any) -> Any:
    """Return the product of two vectors."""
    total = a.dtype.type(0)
    for t in range(len(a)):
        total += a[t] * b[t]
    return total


@part
def least_exact(x: Any, rows: Any, bias: Any, places: Any, k: int) -> Any:
    """Return the least pre-activation among k latents of a row: what the k largest of all reach at least."""
    least = x.dtype.type(np.inf)
    for j in range(k):
        least = min(least, dot(x, rows[places[j]]) + bias[places[j]])
    return least


@compiled
def settle_rows(
    rough: Any,
    x: Any,
    rows: Any,
    bias: Any,
    norms: Any,
    slack: Any,
    k: int,
    most: int,
    values: Any,
    columns: NDArray[np.int64],
    is_open: Any,
    first: int,
    last: int,
) -> None:
    """Fill the k largest of `x rows.T + bias` per row, negative ones as 0, and their columns, ascending.

    Args:
        rough: int16 [n, d_sae]: bits of the product in bfloat16.
        x: float32 [n, d].
        rows: float32 [d_sae, d].
        bias: float32 [d_sae].
        norms: float32 [d_sae] of `rows`.
        slack: float32 [n]: what the rough product with a latent of norm 1 may be off, but for its rounding.
        k: how many.
        most: candidates above which a row is left open.
        values: output float32 [n, k].
        columns: output [n, k].
        is_open: output bool [n]: rows of too many candidates or with a number that is none, not filled.
        first: row to begin with.
        last: row to stop before.
    """
    width = rough.shape[1]
    size = block_size(width, k)
    line, exact = np.empty(width, np.float32), np.empty(width + 1, np.float32)
    keys, exact_keys = line.view(np.int32), exact.view(np.int32)
    maxima, found = np.empty(width // size, np.int32), np.empty(width + 1, np.int32)
    places, level = np.empty(width + 1, np.int64), np.empty(1, np.float32)
    for i in range(first, last):
        fill_bounds(rough[i], bias, norms, slack[i], line, keys)
        is_open[i] = to_keys(keys)
        if is_open[i]:
            continue
        fill_maxima(keys, size, maxima)
        largest(keys, size, maxima, k, found, places)
        level[0] = least_exact(x[i], rows, bias, places, k)
        to_keys(level.view(np.int32))
        n = above(keys, size, maxima, level.view(np.int32)[0], found, places)
        is_open[i] = n > most
        if is_open[i]:
            continue
        for j in range(n):
            exact[j] = dot(x[i], rows[places[j]]) + bias[places[j]]
        is_open[i] = to_keys(exact_keys[:n])
        keep_largest(exact_keys, places, n, k)
        to_keys(exact_keys[:k])
        for j in range(k):
            values[i, j] = max(exact[j], np.float32(0))
            columns[i, j] = places[j]
