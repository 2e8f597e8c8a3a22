"""Runs of residues, and how tables write them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def largest_of_groups(values: NDArray[Any], starts: Ints) -> tuple[NDArray[Any], Ints]:
    """Return the largest value of each group, and its place in `values`, the first of equals.

    Args:
        values: group by group [n].
        starts: where each group begins; none is empty [n_groups].
    """
    if not len(starts):
        return values[:0], starts
    largest = np.maximum.reduceat(values, starts)
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(values)))
    equal = np.flatnonzero(values == largest[group])
    return largest, equal[np.diff(group[equal], prepend=-1) > 0]


def as_texts(first: Ints, last: Ints) -> pa.StringArray:
    """Return runs from the 0-based residue `first` to `last`, 1-based and inclusive: `12-35`, or `40`."""
    one, two = (pc.cast(pa.array(place + 1, pa.int64()), pa.string()) for place in (first, last))
    return pc.if_else(pa.array(first == last), two, pc.binary_join_element_wise(one, two, "-"))


def joined(texts: pa.StringArray, bounds: NDArray[np.integer[Any]], separator: str) -> pa.StringArray:
    """Return the texts of each group as one.

    Args:
        texts: group by group.
        bounds: where each group begins, and where the last one ends [n_groups + 1].
        separator: between them.
    """
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), texts), separator)
