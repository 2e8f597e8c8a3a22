"""How far balls stick out of others, pair by pair, on a CPU, compiled by numba."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import vectorised

Ints = NDArray[np.int64]


@vectorised
def excess(centres: Any, radii: Any, pairs: Ints, distances: Any, out: Any) -> None:
    """Fill the distance of each pair's centres, and that plus the first radius less the second.

    Args:
        centres: [n_balls, d].
        radii: [n_balls].
        pairs: [n, 2].
        distances: output [n].
        out: output [n].
    """
    for a in range(len(pairs)):
        i, j = pairs[a, 0], pairs[a, 1]
        c, d = centres[i], centres[j]
        total = centres.dtype.type(0)
        for t in range(len(c)):
            total += (c[t] - d[t]) * (c[t] - d[t])
        distances[a] = np.sqrt(total)
        out[a] = distances[a] + radii[i] - radii[j]


@vectorised
def excess_back(
    gradient: Any, centres: Any, pairs: Ints, distances: Any, of_centres: Any, of_radii: Any
) -> None:
    """Differentiate `excess`; where centres meet, the distance has gradient 0, as torch's norm.

    Args:
        gradient: [n].
        centres: [n_balls, d].
        pairs: [n, 2].
        distances: [n].
        of_centres: output [n_balls, d].
        of_radii: output [n_balls].
    """
    of_centres[:] = 0
    of_radii[:] = 0
    for a in range(len(pairs)):
        i, j, g = pairs[a, 0], pairs[a, 1], gradient[a]
        if g == 0:
            continue
        of_radii[i] += g
        of_radii[j] -= g
        if distances[a] == 0:
            continue
        share = g / distances[a]
        for t in range(centres.shape[1]):
            step = share * (centres[i, t] - centres[j, t])
            of_centres[i, t] += step
            of_centres[j, t] -= step
