"""Bands of the nearest training protein: scores per band say more than one threshold."""

from collections.abc import Iterable
from math import isnan

NO_HIT = "no hit"
IDENTITY_BANDS = (NO_HIT, "<20 %", "20-30 %", "30-50 %", ">50 %")
"""Half-open: 20 % is in `20-30 %`, 50 % in `>50 %`."""
_UPPER = ((0.2, "<20 %"), (0.3, "20-30 %"), (0.5, "30-50 %"))
COVERAGE_BANDS = ("<50 %", ">=50 %")
_HALF = 0.5
STRATA = (
    NO_HIT,
    *(
        f"identity {identity}, coverage {coverage}"
        for identity in IDENTITY_BANDS[1:]
        for coverage in COVERAGE_BANDS
    ),
)
"""Parts of the test split by its nearest training proteins; coverage is of the test protein."""


def identity_band(identity: float | None) -> str:
    """Return the band of an identity of 0 to 1; of None or NaN, `no hit`."""
    if identity is None or isnan(identity):
        return NO_HIT
    return next((band for upper, band in _UPPER if identity < upper), ">50 %")


def stratum(identity: float | None, coverage: float | None) -> str:
    """Return the name in `STRATA` of the nearest training protein's identity and coverage, each 0 to 1; None
    or NaN where there is no hit."""
    band = identity_band(identity)
    if band == NO_HIT or coverage is None:
        return NO_HIT
    return f"identity {band}, coverage {COVERAGE_BANDS[coverage >= _HALF]}"


def count_bands(identities: Iterable[float | None]) -> dict[str, int]:
    """Return how many identities are in each band, in the order of `IDENTITY_BANDS`."""
    counts = dict.fromkeys(IDENTITY_BANDS, 0)
    for identity in identities:
        counts[identity_band(identity)] += 1
    return counts
