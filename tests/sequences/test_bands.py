"""Bands of identity and coverage: half-open, with a place for what was not found."""

import pytest

from protsae.sequences.bands import IDENTITY_BANDS, STRATA, count_bands, identity_band, stratum


@pytest.mark.parametrize(
    ("identity", "band"),
    [
        (None, "no hit"), (float("nan"), "no hit"), (0.0, "<20 %"), (0.19, "<20 %"), (0.2, "20-30 %"),
        (0.2999, "20-30 %"), (0.3, "30-50 %"), (0.4999, "30-50 %"), (0.5, ">50 %"), (1.0, ">50 %"),
    ],
)  # fmt: skip
def test_bands(identity: float | None, band: str) -> None:
    assert identity_band(identity) == band


@pytest.mark.parametrize(
    ("identity", "coverage", "expected"),
    [
        (None, None, "no hit"),
        (float("nan"), float("nan"), "no hit"),
        (0.25, 0.4999, "identity 20-30 %, coverage <50 %"),
        (0.25, 0.5, "identity 20-30 %, coverage >=50 %"),
        (0.9, 1.0, "identity >50 %, coverage >=50 %"),
    ],
)
def test_strata_name_identity_and_coverage(identity, coverage, expected) -> None:
    assert stratum(identity, coverage) == expected
    assert expected in STRATA


def test_every_band_is_counted_in_order() -> None:
    counts = count_bands([0.25, None, 0.9, 0.21])
    assert list(counts.items()) == list(zip(IDENTITY_BANDS, [1, 0, 2, 0, 1], strict=True))
