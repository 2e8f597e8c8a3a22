"""The letters that ESM-2 knows as residues."""

import re

from protsae.core.errors import InputError

RESIDUES = "ACDEFGHIKLMNPQRSTVWYXBUZO"
"""The twenty amino acids, and X, B, U, Z, O. Gap letters are in the vocabulary too, but are no residues."""
_FOREIGN = re.compile(f"[^{RESIDUES}]")


def check_residues(sequence: str, name: str) -> None:
    """Check that a sequence can be run through the model.

    Args:
        sequence: the residues.
        name: what to call it in the message.

    Raises:
        InputError: it is empty or has another letter; the message gives the 1-based position.
    """
    if not sequence:
        raise InputError(f"{name} is empty: it has no residues to run through the model")
    foreign = _FOREIGN.search(sequence)
    if foreign is not None:
        raise InputError(
            f"{name}: letter {foreign[0]!r} at position {foreign.start() + 1} is no residue that ESM-2 knows "
            f"({RESIDUES}): clean the sequence first"
        )
