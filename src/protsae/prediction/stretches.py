"""Runs of residues, and how tables write them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Stretches(NamedTuple):
    """Runs of consecutive residues of one protein in columns of a matrix, by column, then position."""

    column: Ints
    start: Ints
    """First residue, 0-based."""
    end: Ints
    """End, exclusive."""


def stretches_of(inside: NDArray[np.bool_]) -> Stretches:
    """Return the runs of true values in each column of [n_residues, n_columns]."""
    padded = np.zeros((inside.shape[1], inside.shape[0] + 2), np.int8)
    padded[:, 1:-1] = inside.T
    change = np.diff(padded, axis=1)
    column, start = np.nonzero(change == 1)
    _, end = np.nonzero(change == -1)
    return Stretches(column, start, end)


def as_texts(found: Stretches, n_columns: int) -> list[str]:
    """Return each column's runs, 1-based and inclusive: `12-35;40`."""
    texts: list[list[str]] = [[] for _ in range(n_columns)]
    for column, start, end in zip(*(values.tolist() for values in found), strict=True):
        texts[column].append(f"{start + 1}-{end}" if end > start + 1 else f"{end}")
    return [";".join(of) for of in texts]
