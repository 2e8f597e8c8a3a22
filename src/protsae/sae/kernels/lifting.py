"""Defined latents at open gates with forced activation, on a CPU, compiled by numba.

Shapes: n residues, m concepts, k free codes, w the most open gates of a residue.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled

Ints = NDArray[np.int64]


@compiled
def count_open(logits: Any, gate_logit: Any, counts: Ints, first: int, last: int) -> None:
    """Fill how many logits [n, m] of each row are above the gate's [m]."""
    for i in range(first, last):
        row = logits[i]
        n: Any = np.int32(0)
        for j in range(len(row)):
            n = np.int32(n + np.int32(row[j] > gate_logit[j]))
        counts[i] = n


@compiled
def lift(
    logits: Any,
    gate_logit: Any,
    scale: Any,
    levels: Any,
    evidence: Any,
    driven: Any,
    values: Any,
    columns: Ints,
    first: int,
    last: int,
) -> None:
    """Fill the latents of open gates, in order; places that are left get zeros of latents that are closed.

    Args:
        logits: [n, m].
        gate_logit: [m].
        scale: [m].
        levels: [n]: what open latents are lifted to.
        evidence: output [n, w]: logit less the gate's.
        driven: output [n, w]: scale x evidence.
        values: output [n, w]: the larger of level and drive.
        columns: output [n, w].
        first: row to begin with.
        last: row to stop before.
    """
    is_open = np.empty(logits.shape[1] + 1, np.int32)
    for i in range(first, last):
        place, row, level = 0, logits[i], levels[i]
        for j in range(len(row)):  # without branches: open gates cannot be predicted
            is_open[place] = j
            place += row[j] > gate_logit[j]
        for at in range(place):
            j = is_open[at]
            found = row[j] - gate_logit[j]
            evidence[i, at] = found
            driven[i, at] = scale[j] * found
            values[i, at] = max(driven[i, at], level)
            columns[i, at] = j
        evidence[i, place:] = 0
        driven[i, place:] = 0
        values[i, place:] = 0
        j = 0
        while place < columns.shape[1]:
            if not row[j] > gate_logit[j]:
                columns[i, place] = j
                place += 1
            j += 1


@compiled
def lift_back(
    gradient: Any,
    evidence: Any,
    driven: Any,
    columns: Ints,
    levels: Any,
    of_levels: Any,
    of_scale: Any,
    bounds: Ints,
    first: int,
    last: int,
) -> None:
    """Differentiate `lift`.

    Args:
        gradient: of the values [n, w].
        evidence: see `lift`.
        driven: see `lift`.
        columns: see `lift`.
        levels: see `lift`.
        of_levels: output gradient [n].
        of_scale: output gradients [parts, m], to be summed over the parts.
        bounds: [parts + 1]: rows of the parts.
        first: part to begin with.
        last: part to stop before.
    """
    for p in range(first, last):
        own = of_scale[p]
        own[:] = 0
        for i in range(bounds[p], bounds[p + 1]):
            to_level, level = own.dtype.type(0), levels[i]
            for place in range(columns.shape[1]):
                found = evidence[i, place]
                if found == 0:
                    break
                g, j = gradient[i, place], columns[i, place]
                if driven[i, place] > level:
                    own[j] += g * found
                elif driven[i, place] < level:
                    to_level += g
                else:  # as torch shares it out
                    own[j] += g * found / 2
                    to_level += g / 2
            of_levels[i] = to_level
