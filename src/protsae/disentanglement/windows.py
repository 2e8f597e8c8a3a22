"""Residues judged by their neighbours: windows in a reduced alphabet."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from protsae.core.letters import character_codes, code_table

REDUCED_ALPHABET = ("LVIM", "C", "A", "G", "ST", "P", "FYW", "EDNQ", "KR", "H")
"""The ten classes of Murphy, Wallqvist and Levy (Protein Engineering 13, 2000), from BLOSUM50."""
OUTSIDE = len(REDUCED_ALPHABET)
"""Class of positions before the first and after the last residue: being near an end is a similarity too."""
_UNKNOWN = OUTSIDE + 1
_CLASS = code_table(REDUCED_ALPHABET, _UNKNOWN)


def window_vectors(
    sequences: Mapping[str, str], items: Sequence[tuple[str, NDArray[np.int64]]], flank: int
) -> NDArray[np.float32]:
    """Return a vector per residue, whose inner products are the share of window positions of equal class.

    Residues that are none of the twenty match nothing, not even each other.

    Args:
        sequences: protein id to sequence.
        items: protein id and 0-based positions of its residues.
        flank: k: a window has 2 k + 1 positions, the residue itself in the middle.

    Returns:
        [n_residues, (2 k + 1) x 11], in the order of `items`.
    """
    width = 2 * flank + 1
    found = [_classes(sequences[protein_id], positions, flank) for protein_id, positions in items]
    classes = np.concatenate([np.zeros((0, width), np.int64), *found])
    vectors = np.zeros((len(classes), width, OUTSIDE + 1), dtype=np.float32)
    row, place = np.nonzero(classes < _UNKNOWN)
    vectors[row, place, classes[row, place]] = width**-0.5
    return vectors.reshape(len(classes), width * (OUTSIDE + 1))


def _classes(sequence: str, positions: NDArray[np.int64], flank: int) -> NDArray[np.int64]:
    """Return the classes of the windows around some residues [n, 2 flank + 1]."""
    edge = np.full(flank, OUTSIDE, dtype=np.int64)
    inside = _CLASS[character_codes(sequence)]
    padded = np.concatenate([edge, inside, edge])
    return np.asarray(padded[positions[:, None] + np.arange(2 * flank + 1)])
