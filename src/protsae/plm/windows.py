"""Overlapping windows over long proteins: every residue is read where it has most context on both sides."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Window:
    """One stretch of a protein that is run by itself. All positions are 0-based, ends exclusive."""

    start: int
    """First residue that is run."""
    end: int
    """End of the residues that are run, exclusive."""
    first: int
    """First residue whose values are taken from this window."""
    last: int
    """End of these residues, exclusive."""


def windows_of(length: int, size: int, overlap: int) -> list[Window]:
    """Cover a protein with windows of `size` residues that share at least `overlap` with the next one.

    As few windows as that allows, evenly spread. A residue in two windows belongs to the one whose middle is
    nearer, the earlier one where both are as near: no residue is nearer to a cut than half the overlap.

    Args:
        length: residues of the protein, at least 1. Up to `size` there is one window, the protein itself.
        size: residues of a window.
        overlap: least number of residues that neighbouring windows share, from 0 to `size` - 1.

    Returns:
        The windows in order; `first` to `last` of all of them cover every residue once.
    """
    if length <= size:
        return [Window(0, length, 0, length)]
    n_steps = -(-(length - size) // (size - overlap))
    starts = [(length - size) * step // n_steps for step in range(n_steps + 1)]
    # the middles of two windows lie as far apart as their starts: the border is between the two middles
    borders = [(one + other + size + 1) // 2 for one, other in pairwise(starts)]
    cuts = zip(starts, [0, *borders], [*borders, length], strict=True)
    return [Window(start, start + size, first, last) for start, first, last in cuts]
