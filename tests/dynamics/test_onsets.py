"""Onsets of curves that were made with a known one, or with none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protsae.dynamics.config import OnsetConfig
from protsae.dynamics.onsets import find_onset

CONFIG = OnsetConfig()
STEPS = np.unique(np.round(np.geomspace(1, 4000, 24))).astype(float)
X = np.log10(STEPS)
SPACING = float(np.diff(X).max())


def found(values, config=CONFIG):
    return find_onset(STEPS, np.asarray(values, float), config)


def hinge(step, slope=1.0):
    return slope * np.maximum(X - math.log10(step), 0)


def noisy(values, share, seed):
    """Add noise of a share of the curve's range (of 1 where it has none)."""
    size = share * (np.ptp(values) or 1.0)
    return values + np.random.default_rng(seed).normal(size=len(values)) * size


@pytest.mark.parametrize("step", [20, 80, 300, 900])
def test_a_bend_is_found_where_it_is(step):
    onset = found(hinge(step))
    assert onset.reason == ""
    assert abs(math.log10(onset.hinge / step)) < 0.02
    assert abs(math.log10(onset.acceleration / step)) <= SPACING
    assert onset.change == pytest.approx(math.log10(4000 / step))


@pytest.mark.parametrize("step", [20, 80, 300])
def test_noise_moves_it_by_less_than_two_snapshots(step):
    onsets = [found(noisy(hinge(step), 0.03, seed)) for seed in range(40)]
    known = [onset for onset in onsets if not onset.reason]
    assert len(known) >= 38
    off = [abs(math.log10(onset.hinge / step)) for onset in known]
    assert np.quantile(off, 0.9) < 2 * SPACING
    assert np.median(off) < SPACING


def test_a_jump_is_found_between_the_snapshots_around_it():
    for at in (7, 12, 18):
        values = np.where(np.arange(len(STEPS)) >= at, 1.0, 0.0)
        onset = found(values)
        assert STEPS[at - 2] <= onset.hinge * (1 + 1e-9)
        assert onset.hinge <= STEPS[at]
        assert onset.acceleration == STEPS[at - 1]


def test_a_smooth_rise_begins_at_its_foot():
    rise = 1 / (1 + np.exp(-(X - 2.5) / 0.15))
    for values in (rise, noisy(rise, 0.02, 1)):
        onset = found(values)
        assert onset.reason == ""
        share = 1 / (1 + math.exp(-(math.log10(onset.hinge) - 2.5) / 0.15))
        assert 0.01 < share < 0.35


def test_a_rise_and_fall_has_the_onset_of_the_rise():
    values = np.interp(X, [0, 1.5, 2.5, 3.7], [0, 0, 1, 0.1])
    assert math.log10(found(values).hinge) == pytest.approx(1.5, abs=0.1)
    assert found(-values).change == pytest.approx(-found(values).change)


def test_noise_alone_has_none():
    onsets = [found(noisy(np.zeros(len(X)), 1.0, seed)) for seed in range(100)]
    assert sum(onset.reason == "" for onset in onsets) <= 5
    assert sum(onset.reason == "no change beyond its noise" for onset in onsets) > 70
    assert found(np.full(len(X), 0.7)).reason == "no change beyond its noise"


def test_a_straight_line_has_none():
    assert found(X).reason == "a straight line explains it"
    onsets = [found(noisy(X, 0.05, seed)) for seed in range(100)]
    assert sum(onset.reason == "" for onset in onsets) <= 5


def test_what_saturates_from_the_start_has_none():
    assert found(1 - np.exp(-STEPS / 0.7)).reason.startswith("over by snapshot")
    slowing = np.sqrt(X)
    assert found(slowing).reason == "it slows down from the start"
    assert math.isnan(found(slowing).hinge)


def test_too_few_values_have_a_reason():
    values = np.full(len(X), np.nan)
    values[3:7] = [0, 0, 1, 2]
    assert found(values).reason == "only 4 values"
    values = hinge(80)
    values[5] = np.nan
    assert abs(math.log10(found(values).hinge / 80)) < 0.05


@given(
    scale=st.floats(1e-3, 1e3),
    offset=st.floats(-100, 100),
    sign=st.sampled_from([-1, 1]),
    seed=st.integers(0, 50),
)
def test_units_and_direction_do_not_matter(scale, offset, sign, seed):
    values = noisy(hinge(80), 0.03, seed)
    one, other = found(values), found(sign * scale * values + offset * scale)
    assert one.reason == other.reason
    assert other.change == pytest.approx(sign * scale * one.change, rel=1e-6, abs=1e-9)
    if not one.reason:
        assert other.hinge == pytest.approx(one.hinge, rel=1e-3)
        assert other.acceleration == one.acceleration
