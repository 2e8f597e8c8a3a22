"""Which epoch is kept: equal to looking at all of them at the end, holding few."""

import numpy as np
import pytest

from protsae.training.selection import Candidate, CheckpointChoice


def _run(figures, tolerance):
    choice = CheckpointChoice(tolerance)
    for epoch, (fve, score) in enumerate(figures):
        choice.offer(Candidate(epoch, fve, score, {}))
    return choice


@pytest.mark.parametrize("seed", range(30))
def test_equals_choosing_at_the_end(seed):
    rng = np.random.default_rng(seed)
    figures = list(zip(rng.random(25).round(2), rng.random(25).round(1), strict=True))
    best_fve = max(fve for fve, _ in figures)
    eligible = [score for fve, score in figures if fve >= best_fve - 0.1]
    best = _run(figures, 0.1).best()
    assert best.score == max(eligible)
    assert best.fve >= best_fve - 0.1


def test_a_better_score_at_too_low_an_fve_does_not_win():
    assert _run([(0.5, 0.9), (0.8, 0.3), (0.795, 0.4)], 0.01).best().epoch == 2


def test_an_epoch_that_cannot_win_is_not_held():
    choice = _run([(0.8, 0.5)], 0.01)
    assert not choice.wants(0.8, 0.5)
    assert not choice.wants(0.7, 0.9)
    assert choice.wants(0.795, 0.6)
    assert choice.wants(0.9, 0.1)


def test_not_a_number_never_wins():
    assert _run([(float("nan"), 1.0), (1.0, float("nan"))], 0.01).best() is None


def test_zero_tolerance_is_best_fve():
    assert _run([(0.3, 0.3), (0.6, 0.6), (0.5, 0.5)], 0.0).best().epoch == 1
