"""What is left of each row while the rows of its codes are taken away one by one, compiled by numba.

Loops fill their part as those of `rows` do.
"""

from typing import Any

from protsae.core.compiled import vectorised
from protsae.sae.kernels.rows import Ints


@vectorised
def prefix_energies(
    start: Any,
    values: Any,
    columns: Ints,
    rows: Any,
    shares: Any,
    residual: Any,
    energies: Any,
    first: int,
    last: int,
) -> None:
    """Fill what is left of `start` [n, d] once all codes are taken away, and the weighted squares on the way.

    `energies[i] = sum over j = 0..k of shares[i, j] * ||start[i] - its first j codes' rows||^2`.
    """
    for i in range(first, last):
        left = residual[i]
        square = rows.dtype.type(0)
        for t in range(len(left)):
            left[t] = start[i, t]
            square += left[t] * left[t]
        energy = shares[i, 0] * square
        for j in range(values.shape[1]):
            value, row = values[i, j], rows[columns[i, j]]
            square = rows.dtype.type(0)
            for t in range(len(left)):
                left[t] -= value * row[t]
                square += left[t] * left[t]
            energy += shares[i, j + 1] * square
        energies[i] = energy


@vectorised
def prefix_energies_back(
    residual: Any,
    values: Any,
    columns: Ints,
    rows: Any,
    shares: Any,
    of_energy: Any,
    of_residual: Any,
    of_start: Any,
    of_values: Any,
    vectors: Any,
    first: int,
    last: int,
) -> None:
    """Differentiate `prefix_energies`, from the last residual to the first.

    Args:
        residual: [n, d] with all codes taken away; overwritten.
        values: [n, k].
        columns: [n, k].
        rows: [d_sae, d].
        shares: [n, k + 1].
        of_energy: gradient [n].
        of_residual: gradient [n, d].
        of_start: output gradient [n, d].
        of_values: output gradient [n, k]; 0 where the value is 0.
        vectors: output [n, k, d]: the gradient of the row that a code names, over minus the code's value.
        first: row to begin with.
        last: row to stop before.
    """
    k, two = values.shape[1], rows.dtype.type(2)
    for i in range(first, last):
        left, total = residual[i], of_start[i]
        weight = two * of_energy[i] * shares[i, k]
        for t in range(len(left)):
            total[t] = of_residual[i, t] + weight * left[t]
        for back in range(k):
            j = k - 1 - back
            value, row, vector = values[i, j], rows[columns[i, j]], vectors[i, j]
            weight = two * of_energy[i] * shares[i, j]
            along = rows.dtype.type(0)
            for t in range(len(left)):
                vector[t] = total[t]
                along += total[t] * row[t]
                left[t] += value * row[t]
                total[t] += weight * left[t]
            of_values[i, j] = -along if value != 0 else rows.dtype.type(0)


@vectorised
def subtract_by_column(
    values: Any, begins: Ints, entries: Ints, vectors: Any, out: Any, first: int, last: int
) -> None:
    """Subtract from `out[c]` the sum over the entries e of column c of `values[e] * vectors[e]`.

    Args:
        values: [n * k].
        begins: see `rows.by_column`.
        entries: see `rows.by_column`.
        vectors: [n * k, d].
        out: [d_sae, d]; changed.
        first: column to begin with.
        last: column to stop before.
    """
    for column in range(first, last):
        total = out[column]
        for place in range(begins[column], begins[column + 1]):
            value, vector = values[entries[place]], vectors[entries[place]]
            for t in range(len(total)):
                total[t] -= value * vector[t]
