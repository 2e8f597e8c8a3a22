"""Sequences as arrays: a character code per letter, and tables from these codes to numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
"""The twenty standard amino acids."""
_N_CODES = 256


def character_codes(sequence: str) -> NDArray[np.uint8]:
    """Return the character code of every letter [length], one per letter of any kind.

    Letters outside Latin-1 have the code of `?`. The array is read-only.
    """
    return np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)


def code_table(alphabet: str | Sequence[str], other: int) -> NDArray[np.int64]:
    """Return the table [256] from character codes to numbers, used as `table[character_codes(sequence)]`.

    Args:
        alphabet: its letters in order, or groups of letters that share a number (`("LVIM", "C", "A")`).
        other: number of every letter that is not in the alphabet.
    """
    table = np.full(_N_CODES, other, dtype=np.int64)
    for number, letters in enumerate(alphabet):
        table[character_codes(letters)] = number
    return table
