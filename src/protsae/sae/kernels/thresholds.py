"""Where a wanted share of numbers lies above, column by column, on a CPU, compiled by numba."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled, part
from protsae.sae.kernels.selection import threshold, to_keys

_COLUMNS = 16
"""Columns that are read at a time: a line of memory holds as many float32 numbers."""


@part
def _next_largest(keys: Any, n: int, k: int) -> tuple[Any, Any]:
    """Return the k-th and the (k+1)-th largest of n keys, 0 < k < n."""
    level, n_ties = threshold(keys, n, k)
    least, greatest = np.iinfo(keys.dtype).max, np.iinfo(keys.dtype).min
    last_in, below = keys.dtype.type(least), keys.dtype.type(greatest)
    if n_ties > 0:
        last_in = level
    else:
        for i in range(n):
            last_in = min(last_in, keys[i] if keys[i] > level else keys.dtype.type(least))
    n_reaching: Any = np.int32(0)
    for i in range(n):
        n_reaching = np.int32(n_reaching + np.int32(keys[i] >= last_in))
        below = max(below, keys[i] if keys[i] < last_in else keys.dtype.type(greatest))
    return last_in, last_in if n_reaching > k else below


@part
def _read(numbers: Any, labelled: Any, segment: Any, start: int, block: Any, counts: Any) -> None:
    """Fill rows of `block` with the numbers of columns from `start` on that count, and how many these are."""
    n, width = len(numbers), min(_COLUMNS, numbers.shape[1] - start)
    for above in range(0, n, _COLUMNS):  # square by square: lines of memory are read and written whole
        for c in range(width):
            for i in range(above, min(above + _COLUMNS, n)):
                block[c, i] = numbers[i, start + c]
    for c in range(width):
        counts[c] = n
        if labelled[:, start + c].all():  # nothing to leave out
            continue
        place = 0
        for i in range(n):
            block[c, place] = block[c, i]
            place += labelled[segment[i], start + c]
        counts[c] = place


@compiled
def between(
    numbers: Any,
    labelled: Any,
    segment: NDArray[np.int64],
    n_above: NDArray[np.int64],
    integers: Any,
    out: Any,
    first: int,
    last: int,
) -> None:
    """Fill, per column, the number midway between the last of the `n_above` largest and the next one.

    With none above it is the largest, with all the least.

    Args:
        numbers: [n, m].
        labelled: bool [p, m]: whether numbers of a segment count in a column; where none does, out is NaN.
        segment: [n]: row of `labelled` of each row of numbers.
        n_above: [m]: at most as many as count.
        integers: an array of signed integers of the numbers' width; only its format is read.
        out: output [m].
        first: column to begin with.
        last: column to stop before.
    """
    # One place more than numbers: what does not count is overwritten by the next.
    block = np.empty((_COLUMNS, len(numbers) + 1), numbers.dtype)
    counts = np.zeros(_COLUMNS, np.int64)
    both = np.empty(2, numbers.dtype)
    for start in range(first, last, _COLUMNS):
        width = min(_COLUMNS, last - start)
        _read(numbers, labelled, segment, start, block, counts)
        for c in range(width):
            values, k = block[c, : counts[c]], n_above[start + c]
            if counts[c] == 0:
                out[start + c] = np.nan
            elif k == 0:
                out[start + c] = values.max()
            elif k >= counts[c]:
                out[start + c] = values.min()
            else:
                keys = values.view(integers.dtype)
                to_keys(keys)
                both.view(integers.dtype)[:] = _next_largest(keys, counts[c], k)
                to_keys(both.view(integers.dtype))
                out[start + c] = (both[0] + both[1]) / 2
