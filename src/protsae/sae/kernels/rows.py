"""Sums and products over the rows that sparse codes name, on a CPU, compiled by numba.

Every loop fills its part, `first` to `last`, of an output that the caller made, in an order that does not
depend on the parts: any number of threads gives the same bits.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled, vectorised

Ints = NDArray[np.int64]
_STRETCH = 32
"""Numbers that are passed over at a time where none of them is looked for."""


@vectorised
def add_rows(values: Any, columns: Ints, rows: Any, out: Any, first: int, last: int) -> None:
    """Fill `out[i] = sum over j of values[i, j] * rows[columns[i, j]]`.

    Args:
        values: [n, k].
        columns: [n, k].
        rows: [d_sae, d].
        out: output [n, d].
        first: row of `out` to begin with.
        last: row to stop before.
    """
    for i in range(first, last):
        total = out[i]
        total[:] = 0
        for j in range(values.shape[1]):
            value = values[i, j]
            if value == 0:
                continue
            row = rows[columns[i, j]]
            for t in range(len(total)):
                total[t] += value * row[t]


@vectorised
def dot_rows(values: Any, columns: Ints, rows: Any, vectors: Any, out: Any, first: int, last: int) -> None:
    """Fill `out[i, j] = vectors[i] . rows[columns[i, j]]`, or 0 where the value is 0; shapes as in
    `add_rows`."""
    for i in range(first, last):
        vector = vectors[i]
        for j in range(columns.shape[1]):
            row = rows[columns[i, j]]
            total = rows.dtype.type(0)
            if values[i, j] == 0:
                out[i, j] = total
                continue
            for t in range(len(vector)):
                total += vector[t] * row[t]
            out[i, j] = total


@compiled
def by_column(values: Any, columns: Ints, n_columns: int) -> tuple[Ints, Ints]:
    """Sort the entries of [n, k] that are not zero by column (a counting sort, so rows stay in order).

    Returns:
        Where the entries of each column begin, [n_columns + 1]; the entries, numbered row by row.
    """
    n, k = columns.shape
    begins = np.zeros(n_columns + 1, dtype=np.int64)
    for i in range(n):
        for j in range(k):
            begins[columns[i, j] + 1] += values[i, j] != 0
    for column in range(n_columns):
        begins[column + 1] += begins[column]
    cursor = begins[:-1].copy()
    entries = np.empty(begins[n_columns], dtype=np.int64)
    for i in range(n):
        for j in range(k):
            if values[i, j] != 0:
                column = columns[i, j]
                entries[cursor[column]] = i * k + j
                cursor[column] += 1
    return begins, entries


@vectorised
def gather_rows(
    values: Any, begins: Ints, entries: Ints, vectors: Any, out: Any, sums: Any, first: int, last: int
) -> None:
    """Fill `out[c] = sum over the entries (i, j) of column c of values[i, j] * vectors[i]`, and `sums[c]`.

    Args:
        values: [n, k].
        begins: see `by_column`.
        entries: see `by_column`.
        vectors: [n, d].
        out: output [d_sae, d].
        sums: output [d_sae]: sums of the values alone.
        first: column to begin with.
        last: column to stop before.
    """
    k = values.shape[1]
    flat = values.reshape(-1)
    for column in range(first, last):
        total = out[column]
        total[:] = 0
        sum_of_values = values.dtype.type(0)
        for place in range(begins[column], begins[column + 1]):
            entry = entries[place]
            value = flat[entry]
            sum_of_values += value
            vector = vectors[entry // k]
            for t in range(len(total)):
                total[t] += value * vector[t]
        sums[column] = sum_of_values


@compiled
def mark(values: Any, columns: Ints, out: Any) -> None:
    """Set `out` [d_sae] where a code of [n, k] is positive."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            if values[i, j] > 0:
                out[columns[i, j]] = True


@compiled
def count_reaching(numbers: Any, bias: Any, level: Any, counts: Ints, first: int, last: int) -> None:
    """Fill `counts[i]` with how many of row i of `numbers` [n, d] plus bias [d] are not below a level."""
    for i in range(first, last):
        row = numbers[i]
        n: Any = np.int32(0)  # as narrow as what is compared: as many are counted at a time
        for j in range(len(row)):
            n = np.int32(n + np.int32(not (row[j] + bias[j] < level)))
        counts[i] = n


@compiled
def take_reaching(
    numbers: Any, bias: Any, level: Any, values: Any, columns: Ints, first: int, last: int
) -> None:
    """Fill [n, k] with what `count_reaching` counts, k at most, and the columns, in order.

    Places that are left get value 0 and other columns, so that none stands twice.
    """
    k = values.shape[1]
    for i in range(first, last):
        place, row = 0, numbers[i]
        for start in range(0, len(row), _STRETCH):
            stop = min(start + _STRETCH, len(row))
            n: Any = np.int32(0)
            for j in range(start, stop):
                n = np.int32(n + np.int32(not (row[j] + bias[j] < level)))
            if n == 0:
                continue
            for j in range(start, stop):
                value = row[j] + bias[j]
                if not value < level:
                    values[i, place] = value
                    columns[i, place] = j
                    place += 1
        j = 0
        while place < k:
            if row[j] + bias[j] < level:
                values[i, place] = 0
                columns[i, place] = j
                place += 1
            j += 1
