"""Lassos with non-negative coefficients, row by row on a CPU, compiled by numba."""

from typing import Any

import numpy as np

from protsae.core.compiled import part, vectorised


@part
def _most(gradient: Any, codes: Any) -> tuple[Any, int]:
    """Return the largest violation of the optimality conditions, and where it is."""
    worst = gradient.dtype.type(0)
    for j in range(len(codes)):
        # down is possible for positive codes alone
        violation = abs(gradient[j]) if codes[j] > 0 else gradient[j]
        worst = max(worst, violation)
    for j in range(len(codes)):
        violation = abs(gradient[j]) if codes[j] > 0 else gradient[j]
        if violation == worst:
            return worst, j
    return worst, 0


@vectorised
def descend(
    gradients: Any, gram: Any, bounds: Any, most_steps: int, codes: Any, is_open: Any, first: int, last: int
) -> None:
    """Minimise `z gram z / 2 - z b` over z >= 0 for each row b, the worst coordinate at a time.

    A step settles the coordinate that violates the optimality conditions most (Gauss and Southwell) and
    corrects the slopes of all others.

    Args:
        gradients: b [n, m]; changed into the slopes at the solution, downhill.
        gram: [m, m], its diagonal positive.
        bounds: violations [n] that may be left.
        most_steps: after which a row is left open.
        codes: output [n, m].
        is_open: output bool [n]: rows that are not solved.
        first: row to begin with.
        last: row to stop before.
    """
    for i in range(first, last):
        gradient, z, bound = gradients[i], codes[i], bounds[i]
        z[:] = 0 if bound >= 0 else np.nan  # NaN stays NaN
        is_open[i] = bound >= 0
        if not is_open[i]:
            continue
        for _ in range(most_steps):
            worst, j = _most(gradient, z)
            if not worst > bound:
                is_open[i] = False
                break
            row = gram[j]
            moved = max(z[j] + gradient[j] / row[j], gradient.dtype.type(0))
            change = moved - z[j]
            z[j] = moved
            for t in range(len(row)):
                gradient[t] -= change * row[t]
            gradient[j] = min(gradient[j], gradient.dtype.type(0)) if moved == 0 else gradient.dtype.type(0)
