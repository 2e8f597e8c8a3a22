"""The k largest of every row on a CPU, compiled by numba.

Floats are compared as integers of the same order (their bits, those of negative numbers flipped): keys. A
level between two keys is found by halving an interval of integers, which takes no branches per number.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled, part

_BLOCK = 32
"""Most numbers of a block, of which the largest is compared first."""


@part
def threshold(keys: Any, n: int, k: int) -> tuple[Any, int]:
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
def keep_largest(keys: Any, columns: Any, n: int, k: int) -> int:
    """Move the k largest of n keys to the front with their columns, in order; of equal ones the first."""
    level, n_ties = threshold(keys, n, k)
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
def to_keys(bits: Any) -> bool:
    """Turn the bits of floats into keys, and return whether any float is NaN. Done twice, it is undone."""
    integer = bits.dtype.type
    shift = integer(8 * bits.itemsize - 1)
    mask = integer(~(integer(1) << shift))
    # The exponent's ones: bits of infinity.
    infinity = integer(mask & ~((integer(1) << integer(52 if bits.itemsize == 8 else 23)) - integer(1)))
    has_nan = np.uint8(0)
    for i in range(len(bits)):
        has_nan |= np.uint8((bits[i] & mask) > infinity)
        bits[i] ^= (bits[i] >> shift) & mask
    return bool(has_nan != 0)


@part
def fill_maxima(keys: Any, size: int, maxima: Any) -> None:
    """Fill the largest key of every whole block of `size`."""
    for block in range(len(maxima)):
        members = keys[block * size : block * size + size]
        best = members[0]
        for i in range(size):
            best = max(best, members[i])
        maxima[block] = best


@part
def above(keys: Any, size: int, maxima: Any, level: Any, found: Any, places: Any) -> int:
    """Fill keys not below a level and, in order, their places; return how many there are.

    Args:
        keys: [d].
        size: of a block.
        maxima: see `fill_maxima`.
        level: least key.
        found: output [d].
        places: output [d].
    """
    n, n_blocks = 0, len(maxima)
    for block in range(n_blocks):
        if maxima[block] < level:
            continue
        for i in range(block * size, block * size + size):
            found[n] = keys[i]
            places[n] = i
            n += keys[i] >= level
    for i in range(n_blocks * size, len(keys)):
        found[n] = keys[i]
        places[n] = i
        n += keys[i] >= level
    return n


@part
def block_size(width: int, k: int) -> int:
    """Return how many numbers make a block, so that there are more than twice k blocks."""
    size = _BLOCK
    while size > 1 and width < 2 * k * size:
        size //= 2
    return size if size >= 4 else 1


@part
def largest(keys: Any, size: int, maxima: Any, k: int, found: Any, places: Any) -> None:
    """Fill the k largest keys and, in order, their places; see `above`.

    The k-th largest of the blocks' maxima is reached by at least k numbers, and seldom by many more.
    """
    integer = keys.dtype.type
    level = integer(integer(1) << integer(8 * keys.itemsize - 1))  # the least there is
    if size > 1:
        level, _ = threshold(maxima, len(maxima), k)
    keep_largest(found, places, above(keys, size, maxima, level, found, places), k)


@compiled
def top_k_of_rows(
    numbers: Any,
    bias: Any,
    integers: Any,
    inside: NDArray[np.int64],
    k: int,
    values: Any,
    columns: NDArray[np.int64],
    first: int,
    last: int,
) -> None:
    """Fill the k largest of each row plus bias, negative ones as 0, and their columns in ascending order.

    Of equal numbers the first ones are taken. A row with a NaN gets NaN: it is not hidden.

    Args:
        numbers: floats [n, d].
        bias: [d], added to each row.
        integers: an array of signed integers of the same width; only its format is read.
        inside: columns to choose from, ascending; empty: all.
        k: at most the columns to choose from.
        values: output [n, k].
        columns: output [n, k].
        first: row to begin with.
        last: row to stop before.
    """
    width = len(inside) if len(inside) else numbers.shape[1]
    size = block_size(width, k)
    line = np.empty(width, numbers.dtype)
    keys = line.view(integers.dtype)
    maxima = np.empty(width // size, integers.dtype)
    found = np.empty(width + 1, integers.dtype)
    places = np.empty(width + 1, np.int64)
    for row in range(first, last):
        if len(inside):
            for i in range(width):
                line[i] = numbers[row, inside[i]] + bias[inside[i]]
        else:
            for i in range(width):
                line[i] = numbers[row, i] + bias[i]
        has_nan = to_keys(keys)
        if has_nan:
            places[:k] = np.arange(k)
        else:
            fill_maxima(keys, size, maxima)
            largest(keys, size, maxima, k, found, places)
        for j in range(k):
            column = inside[places[j]] if len(inside) else places[j]
            columns[row, j] = column
            value = numbers[row, column] + bias[column]
            values[row, j] = np.nan if has_nan else max(value, numbers.dtype.type(0))
