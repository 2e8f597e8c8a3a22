"""Which residues of a protein are written anew."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator

Mask = NDArray[np.bool_]


def whole(sequence: str) -> Mask:
    """Return every residue."""
    return np.ones(len(sequence), dtype=bool)


def given(sequence: str, positions: Sequence[int], protein_id: str) -> Mask:
    """Return the residues at positions.

    Args:
        sequence: the protein.
        positions: 0-based.
        protein_id: for messages.

    Raises:
        InputError: a position outside the protein, or none at all.
    """
    at = np.asarray(positions, dtype=np.int64)
    if not len(at):
        raise InputError(f"protein {protein_id!r}: no positions are given")
    if outside := [int(i) for i in at if not 0 <= i < len(sequence)]:
        raise InputError(
            f"protein {protein_id!r} has {len(sequence)} residues: position {outside[0] + 1} is outside"
        )
    mask = np.zeros(len(sequence), dtype=bool)
    mask[at] = True
    return mask


def region(sequence: str, start: int, end: int, protein_id: str) -> Mask:
    """Return the residues from `start` (0-based) up to `end` (exclusive).

    Raises:
        InputError: the region is empty or leaves the protein.
    """
    if not 0 <= start < end <= len(sequence):
        raise InputError(
            f"protein {protein_id!r} has {len(sequence)} residues: region {start + 1} to {end} does not lie "
            "in it"
        )
    return given(sequence, range(start, end), protein_id)


def random(sequence: str, share: float, seed: int, protein_id: str) -> Mask:
    """Return a share of the residues, at least one, drawn by seed and protein alone."""
    drawn = numpy_generator(seed, "steering positions", protein_id)
    return _lowest(drawn.random(len(sequence)), share)


def low_activation(activation: NDArray[np.floating], share: float) -> Mask:
    """Return the share of the residues, at least one, where a concept's score is lowest.

    Args:
        activation: of each residue; of equal ones the first count.
        share: of the residues.
    """
    return _lowest(activation, share)


def _lowest(values: NDArray[np.floating], share: float) -> Mask:
    n = max(1, round(share * len(values)))
    mask = np.zeros(len(values), dtype=bool)
    mask[np.argsort(values, kind="stable")[:n]] = True
    return mask
