"""The learning rate over a run."""

import pytest

from protsae.training.schedule import rate_factor, snapshot_steps


def test_rises_then_falls_and_never_is_zero():
    factors = [rate_factor(step, 10, 0.3) for step in range(10)]
    assert factors[:3] == pytest.approx([1 / 4, 2 / 4, 3 / 4])
    assert factors[3:] == pytest.approx([1, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7])


def test_without_warm_up_it_starts_at_the_peak():
    assert [rate_factor(step, 4, 0.0) for step in range(4)] == [1, 0.75, 0.5, 0.25]


def test_snapshots_are_evenly_spaced_by_their_logarithm():
    assert sorted(snapshot_steps(4, 1000)) == [1, 10, 100, 1000]
    assert snapshot_steps(0, 50) == frozenset()
    assert snapshot_steps(1, 50) == {50}
    assert snapshot_steps(9, 3) == {1, 2, 3}
    assert snapshot_steps(5, 1) == {1}
