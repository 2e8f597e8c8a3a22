"""Fmax against the golden example of the CAFA rules and a slow loop; propagation of scores."""

import numpy as np
import pytest

from protsae.metrics.cafa import THRESHOLDS, CafaCurves, propagate_scores

# Terms T1 (root), T2 is_a T1, T3 is_a T2, T4 part_of T2, T5 is_a T1. P9 has no true term and is ignored.
DESCENDANTS = [[1, 2, 3, 4], [2, 3], [], [], []]
LABELS = np.array([[1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [1, 0, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=bool)
RAW = np.array([[0, 0, 0.9, 0.4, 0], [0, 0, 0, 0.6, 0.6], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0]])


def slow_fmax(scores, labels, weights):
    """Fmax by plain loops, proteins repeated as often as their weight says."""
    best = 0.0
    rows = [i for i, w in enumerate(weights) for _ in range(w) if labels[i].any()]
    for tau in THRESHOLDS:
        precisions, recalls = [], []
        for i in rows:
            called = {j for j in range(labels.shape[1]) if scores[i, j] >= tau}
            true = {j for j in range(labels.shape[1]) if labels[i, j]}
            if called:
                precisions.append(len(called & true) / len(called))
            recalls.append(len(called & true) / len(true))
        if precisions:
            p, r = np.mean(precisions), np.mean(recalls)
            best = max(best, 2 * p * r / (p + r) if p + r else 0.0)
    return best


def test_golden_example_with_roots():
    found = CafaCurves(propagate_scores(RAW, DESCENDANTS), LABELS).fmax()
    assert found.value == pytest.approx(0.7568, abs=5e-5)
    assert found.precision == pytest.approx(0.875)
    assert found.recall == pytest.approx(2 / 3)
    assert found.threshold == pytest.approx(0.41)
    assert found.n_proteins == 3


def test_golden_example_without_roots():
    found = CafaCurves(propagate_scores(RAW, DESCENDANTS)[:, 1:], LABELS[:, 1:]).fmax()
    assert found.value == pytest.approx(0.7407, abs=5e-5)
    assert found.precision == pytest.approx(0.8333, abs=5e-5)


def test_weights_equal_repeated_proteins():
    generator = np.random.default_rng(0)
    scores, labels = generator.random((30, 6)), generator.random((30, 6)) < 0.25
    weights = generator.integers(0, 3, size=(4, 30))
    expected = [slow_fmax(scores, labels, row) for row in weights]
    curves = CafaCurves(scores, labels)
    np.testing.assert_allclose(curves.fmax_values(weights), expected, atol=1e-12)
    assert curves.fmax().value == pytest.approx(slow_fmax(scores, labels, np.ones(30, dtype=int)), abs=1e-12)
    assert np.isnan(curves.fmax_values(np.zeros(30)))


def test_predictions_outside_the_labelled_pairs_do_not_count():
    labels = np.array([[True, False]])
    labelled = np.array([[True, False]])
    assert CafaCurves(np.array([[0.9, 0.9]]), labels, labelled).fmax().value == 1.0
    assert CafaCurves(np.array([[0.9, 0.9]]), labels).fmax().value == pytest.approx(2 / 3)


def test_propagation_is_the_maximum_over_descendants_and_leaves_its_input_alone():
    before = RAW.copy()
    np.testing.assert_array_equal(
        propagate_scores(RAW, DESCENDANTS)[:2], [[0.9, 0.9, 0.9, 0.4, 0], [0.6, 0.6, 0, 0.6, 0.6]]
    )
    np.testing.assert_array_equal(RAW, before)


def test_no_true_concept_gives_nan_and_uncalibrated_scores_are_refused():
    assert np.isnan(CafaCurves(np.ones((2, 2)), np.zeros((2, 2))).fmax().value)
    with pytest.raises(ValueError, match="between 0 and 1"):
        CafaCurves(np.array([[1.5]]), np.array([[True]]))
