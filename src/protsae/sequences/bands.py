"""Bands of identity to the nearest training protein: scores per band say more than one threshold."""

from collections.abc import Iterable
from math import isnan

NONE_FOUND = "none found"
BANDS = (NONE_FOUND, "<20 %", "20-30 %", "30-50 %", ">50 %")
"""Half-open: 20 % is in `20-30 %`, 50 % in `>50 %`."""
_UPPER = ((0.2, "<20 %"), (0.3, "20-30 %"), (0.5, "30-50 %"))


def identity_band(identity: float | None) -> str:
    """Return the band of an identity of 0 to 1; of None or NaN, `none found`."""
    if identity is None or isnan(identity):
        return NONE_FOUND
    return next((band for upper, band in _UPPER if identity < upper), ">50 %")


def count_bands(identities: Iterable[float | None]) -> dict[str, int]:
    """Return how many identities are in each band, in the order of `BANDS`."""
    counts = dict.fromkeys(BANDS, 0)
    for identity in identities:
        counts[identity_band(identity)] += 1
    return counts
