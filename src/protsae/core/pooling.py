"""How the values of residues become one value of their protein."""

from typing import Any, Literal, get_args

Pooling = Literal["mean", "top", "max"]
"""The mean over all residues, over those with the highest tenth of the values, or the highest value."""
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
_TOP_SHARE = 10  # one residue in so many


def n_top(n_residues: Any) -> Any:
    """Return a tenth of a number (or an array of numbers) of residues, rounded up: what `top` averages."""
    return -(-n_residues // _TOP_SHARE)
