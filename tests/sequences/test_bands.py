"""Bands of identity: half-open, with a place for what was not found."""

import pytest

from protsae.sequences.bands import BANDS, count_bands, identity_band


@pytest.mark.parametrize(
    ("identity", "band"),
    [
        (None, "none found"), (float("nan"), "none found"), (0.0, "<20 %"), (0.19, "<20 %"), (0.2, "20-30 %"),
        (0.2999, "20-30 %"), (0.3, "30-50 %"), (0.4999, "30-50 %"), (0.5, ">50 %"), (1.0, ">50 %"),
    ],
)  # fmt: skip
def test_bands(identity: float | None, band: str) -> None:
    assert identity_band(identity) == band


def test_every_band_is_counted_in_order() -> None:
    counts = count_bands([0.25, None, 0.9, 0.21])
    assert list(counts.items()) == list(zip(BANDS, [1, 0, 2, 0, 1], strict=True))
