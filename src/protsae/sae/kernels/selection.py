"""The k largest of every row on a CPU, compiled by numba.

Floats are compared as integers of the same order (their bits, those of negative numbers flipped), so that a
level between two of them is found by halving an interval of integers, which takes no branches per number.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled, part

_BLOCK = 32
"""Most numbers whose largest stands for them all."""


@part
def _threshold(keys: Any, n: int, k: int) -> tuple[Any, int]:
    """Return a level, and how many keys equal to it belong with all above it to the k largest of n."""
    one = keys.dtype.type(1)
    low, high = keys[0], keys[0]
    for i in range(n):
        low = min(low, keys[i])
        high = max(high, keys[i])
    low = keys.dtype.type(low - one)
    if n <= k:
        return low, 0
    n_above_high = 0
    while True:
        middle = keys.dtype.type((low & high) + ((low ^ high) >> one))  # their mean, without overflow
        if middle == low:
            return high, k - n_above_high
        above: Any = np.int32(0)  # narrow, so that as many are counted at a time as are compared
        for i in range(n):
            above = np.int32(above + np.int32(keys[i] > middle))
        if above == k:
            return middle, 0
        if above > k:
            low = middle
        else:
            high, n_above_high = middle, above


@part
def _select(keys: Any, columns: Any, n: int, k: int) -> int:
    """Move the k largest of n keys to the front with their columns, in order; of equal ones the first."""
    level, n_ties = _threshold(keys, n, k)
    n_kept = 0
    for i in range(n):
        key = keys[i]
        tied = key == level and n_ties > 0
        n_ties -= tied
        keys[n_kept] = key
        columns[n_kept] = columns[i]
        n_kept += key > level or tied
    return n_kept


@part
def _block_maxima(bits: Any, size: int, maxima: Any, shift: Any, mask: Any, largest: Any) -> bool:
    """Fill the largest key of every whole block of `size`; return whether any number is NaN."""
    has_nan = np.uint8(0)
    for block in range(len(maxima)):
        part = bits[block * size : block * size + size]
        best = part[0] ^ ((part[0] >> shift) & mask)
        for i in range(size):
            best = max(best, part[i] ^ ((part[i] >> shift) & mask))
            has_nan |= np.uint8((part[i] & mask) > largest)
        maxima[block] = best
    return bool(has_nan != 0)


@part
def _candidates(
    bits: Any, size: int, maxima: Any, k: int, keys: Any, places: Any, shift: Any, mask: Any
) -> int:
    """Fill keys and columns, in order, of numbers that hold the k largest; return how many there are.

    The k-th largest of the blocks' maxima is reached by at least k numbers, and seldom by many more.
    """
    n_blocks, n = len(maxima), 0
    level = keys.dtype.type(~mask)  # the least there is
    if size > 1:
        level, _ = _threshold(maxima, n_blocks, k)
    for block in range(n_blocks):
        if maxima[block] < level:
            continue
        for i in range(block * size, block * size + size):
            key = bits[i] ^ ((bits[i] >> shift) & mask)
            keys[n] = key
            places[n] = i
            n += key >= level
    for i in range(n_blocks * size, len(bits)):
        keys[n] = bits[i] ^ ((bits[i] >> shift) & mask)
        places[n] = i
        n += 1
    return n


@compiled
def top_k_of_rows(
    numbers: Any,
    bits: Any,
    inside: NDArray[np.int64],
    k: int,
    values: Any,
    columns: NDArray[np.int64],
    first: int,
    last: int,
) -> None:
    """Fill the k largest of each row, negative ones as 0, and their columns in ascending order.

    Of equal numbers the first ones are taken. A row with a NaN gets NaN, so that it cannot go unseen.

    Args:
        numbers: floats [n, d].
        bits: the same memory as signed integers.
        inside: columns to choose from, ascending; empty: all.
        k: at most the columns to choose from.
        values: output [n, k].
        columns: output [n, k].
        first: row to begin with.
        last: row to stop before.
    """
    width = len(inside) if len(inside) else numbers.shape[1]
    integer = bits.dtype.type
    shift = integer(8 * bits.itemsize - 1)
    mask = integer(~(integer(1) << shift))
    infinity = np.full(1, np.inf, numbers.dtype).view(bits.dtype)[0]
    size = _BLOCK
    while size > 1 and width < 2 * k * size:
        size //= 2
    if size < 4:
        size = 1
    n_blocks = width // size
    maxima = np.empty(n_blocks, bits.dtype)
    keys = np.empty(width + 1, bits.dtype)
    places = np.empty(width + 1, np.int64)
    gathered = np.empty(width, bits.dtype)
    for row in range(first, last):
        line = bits[row]
        if len(inside):
            for i in range(width):
                gathered[i] = line[inside[i]]
            line = gathered
        has_nan = _block_maxima(line, size, maxima, shift, mask, infinity)
        for i in range(n_blocks * size, width):
            has_nan |= (line[i] & mask) > infinity
        if has_nan:
            places[:k] = np.arange(k)
        else:
            n = _candidates(line, size, maxima, k, keys, places, shift, mask)
            _select(keys, places, n, k)
        for j in range(k):
            column = inside[places[j]] if len(inside) else places[j]
            columns[row, j] = column
            values[row, j] = np.nan if has_nan else max(numbers[row, column], numbers.dtype.type(0))
