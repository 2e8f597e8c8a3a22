"""Adam's step over the rows of a matrix on a CPU, with projection, clipping and normalisation, compiled by
numba.

One pass measures gradients and one updates, where a chain of tensor operations would take some fifteen passes
over memory. Every loop fills its part, rows `first` to `last`; no bit depends on the parts.
"""

from typing import Any

import numpy as np

from protsae.core.compiled import vectorised


@vectorised
def measure(gradients: Any, rows: Any, unit: bool, squares: Any, first: int, last: int) -> None:
    """Fill each row's sum of squares, once the gradient along rows of unit norm is taken away.

    Args:
        gradients: [n, d]; changed where `unit`.
        rows: parameters [n, d].
        unit: the rows are held at unit norm: a gradient along them would only change it.
        squares: output [n].
        first: row to begin with.
        last: row to stop before.
    """
    for i in range(first, last):
        gradient, row = gradients[i], rows[i]
        total = rows.dtype.type(0)
        if unit:
            along = rows.dtype.type(0)
            for t in range(len(row)):
                along += gradient[t] * row[t]
            for t in range(len(row)):
                gradient[t] -= along * row[t]
        for t in range(len(row)):
            total += gradient[t] * gradient[t]
        squares[i] = total


@vectorised
def adam(
    gradients: Any, rows: Any, means: Any, squares: Any, numbers: Any, unit: bool, first: int, last: int
) -> None:
    """Update rows by Adam's rule, and give them unit norm where they are to have it.

    Args:
        gradients: [n, d].
        rows: parameters [n, d]; changed.
        means: first moments [n, d]; changed.
        squares: second moments [n, d]; changed.
        numbers: [8] of the rows' format: what gradients are multiplied by; what stays of the old first moment
            and what is taken of the gradient; the same two of the second; the root of its bias correction;
            epsilon; the step's length.
        unit: hold the rows at unit norm.
        first: row to begin with.
        last: row to stop before.
    """
    scale, old_mean, new_mean, old_square = numbers[0], numbers[1], numbers[2], numbers[3]
    new_square, bias, epsilon, length = numbers[4], numbers[5], numbers[6], numbers[7]
    half, tiny = rows.dtype.type(0.5), np.finfo(rows.dtype).tiny
    for i in range(first, last):
        gradient, row, mean, square = gradients[i], rows[i], means[i], squares[i]
        norm = rows.dtype.type(0)
        for t in range(len(row)):
            g = gradient[t] * scale
            mean[t] = old_mean * mean[t] + new_mean * g
            square[t] = old_square * square[t] + new_square * g * g
            row[t] -= length * mean[t] / (square[t] ** half / bias + epsilon)
            norm += row[t] * row[t]
        if unit:
            share = rows.dtype.type(1) / max(norm**half, tiny)
            for t in range(len(row)):
                row[t] *= share
