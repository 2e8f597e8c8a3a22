"""Protein-centric metrics against the golden example of the CAFA rules and slow loops; propagation."""

from itertools import pairwise

import numpy as np
import pytest

from protsae.metrics.cafa import ProteinCurves, propagate_scores

# Terms T1 (root), T2 is_a T1, T3 is_a T2, T4 part_of T2, T5 is_a T1. P9 has no true term and is ignored.
DESCENDANTS = [[1, 2, 3, 4], [2, 3], [], [], []]
LABELS = np.array([[1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [1, 0, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=bool)
RAW = np.array([[0, 0, 0.9, 0.4, 0], [0, 0, 0, 0.6, 0.6], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0]])


def slow_metrics(scores, labels, information, weights, preset):
    """The definitions by plain loops over sets, proteins repeated as often as their weight says."""
    rows = [i for i, w in enumerate(weights) for _ in range(w) if labels[i].any()]
    worth = {j: 0.0 if np.isinf(value) else value for j, value in enumerate(information)}
    points = []
    thresholds = [t / 100 for t in range(101)] if preset == "deepgo" else np.arange(0.01, 1, 0.01)
    for tau in thresholds:
        p, r, wp, wr, ru, mi, n_called, n_weighed = [0.0] * 8
        for i in rows:
            called = {j for j in worth if scores[i, j] >= tau}
            true = {j for j in worth if labels[i, j]}
            of_called, of_true, of_hits = (sum(worth[j] for j in s) for s in (called, true, called & true))
            n_called += bool(called)
            n_weighed += of_called > 0 if preset == "cafa" else bool(called)
            p += len(called & true) / len(called) if called else 0
            wp += of_hits / of_called if of_called else 0
            r += len(called & true) / len(true)
            wr += of_hits / of_true if of_true else 0
            ru += sum(worth[j] for j in true - called)
            mi += sum(worth[j] for j in called - true)
        p, wp = p / n_called if n_called else 0, wp / n_weighed if n_weighed else 0
        r, wr, ru, mi, coverage = (value / len(rows) for value in (r, wr, ru, mi, n_called))
        f, wf = (2 * a * b / (a + b) if a + b else 0 for a, b in ((p, r), (wp, wr)))
        s = (ru**2 + mi**2) ** 0.5 if n_called or preset == "deepgo" else np.inf
        points.append((f, wf, s, coverage, p, r))
    f, wf, s, coverage, p, r = np.array(points).T
    found = {"fmax": f.max(), "wfmax": wf.max(), "smin": s.min(), "coverage": coverage[np.argmax(f)]}
    if preset == "deepgo":
        order = np.argsort(r, kind="stable")
        found["aupr_curve"] = sum((r[b] - r[a]) * (p[a] + p[b]) / 2 for a, b in pairwise(order))
    return found


def test_golden_example_with_roots():
    curves = ProteinCurves(propagate_scores(RAW, DESCENDANTS), LABELS)
    found = curves.fmax()
    assert found.value == pytest.approx(0.7568, abs=5e-5)
    assert found.precision == pytest.approx(0.875)
    assert found.recall == pytest.approx(2 / 3)
    assert found.threshold == pytest.approx(0.41)
    assert found.n_proteins == 3
    assert curves.smin().value == pytest.approx(0.7454, abs=5e-5)


def test_golden_example_without_roots():
    curves = ProteinCurves(propagate_scores(RAW, DESCENDANTS)[:, 1:], LABELS[:, 1:])
    found = curves.fmax()
    assert found.value == pytest.approx(0.7407, abs=5e-5)
    assert found.precision == pytest.approx(0.8333, abs=5e-5)
    assert found.coverage == pytest.approx(2 / 3)  # nothing is predicted of P3
    assert curves.smin().value == pytest.approx(0.4714, abs=5e-5)
    assert curves.values()["smin"] == pytest.approx(0.4714, abs=5e-5)


def test_weighted_fmax_and_smin_of_the_golden_example_by_hand():
    """With roots, information 0, 1, 2, 3, 1. At .41 to .6 P1 has T1 to T3, P2 T1, T2, T4, T5, P3 nothing."""
    information = np.array([0, 1, 2, 3, 1])
    curves = ProteinCurves(propagate_scores(RAW, DESCENDANTS), LABELS, information=information)
    found, smin = curves.weighted_fmax(), curves.smin()
    # P1: 3 of 3 called, of 3 true; P2: 4 of 5 called, of 4 true; P3: nothing called, 1 true.
    precision, recall = (1 + 4 / 5) / 2, (1 + 1 + 0) / 3
    assert (found.precision, found.recall) == pytest.approx((precision, recall))
    assert found.value == pytest.approx(2 * precision * recall / (precision + recall))
    assert smin.value == pytest.approx(np.hypot(1 / 3, 1 / 3))
    assert found.threshold == smin.threshold == pytest.approx(0.41)


@pytest.mark.parametrize("preset", ["cafa", "deepgo"])
def test_equal_to_plain_loops_and_weights_equal_repeated_proteins(preset):
    generator = np.random.default_rng(0)
    for case in range(6):
        scores, labels = generator.random((30, 6)), generator.random((30, 6)) < 0.25
        scores[generator.random(scores.shape) < 0.4] = 0.0
        scores = np.round(scores, 2) if case % 2 else scores * 0.6  # on thresholds; none called at high ones
        information = generator.choice([0.0, 0.5, 2.0, np.inf], 6) if case else np.ones(6)
        weights = generator.integers(0, 3, size=(4, 30))
        curves = ProteinCurves(scores, labels, information=information, preset=preset)
        found, whole = curves.values(weights), curves.values()
        for name, values in found.items():
            expected = [slow_metrics(scores, labels, information, row, preset)[name] for row in weights]
            np.testing.assert_allclose(values, expected, atol=1e-12, err_msg=name)
            slow = slow_metrics(scores, labels, information, np.ones(30, dtype=int), preset)[name]
            assert whole[name] == pytest.approx(slow, abs=1e-12), name
        assert curves.fmax().value == pytest.approx(whole["fmax"], abs=1e-12)
        assert curves.fmax().coverage == pytest.approx(whole["coverage"], abs=1e-12)
        assert curves.weighted_fmax().value == pytest.approx(whole["wfmax"], abs=1e-12)
        assert curves.smin().value == pytest.approx(whole["smin"], abs=1e-12)
    assert all(np.isnan(value) for value in curves.values(np.zeros(30)).values())


def test_proteins_that_count_may_be_named():
    """As cafaeval has it: a protein with ground truth counts, also where its only terms are left out."""
    scores, labels = np.array([[0.9], [0.9]]), np.array([[True], [False]])
    assert ProteinCurves(scores, labels).fmax().value == 1.0
    found = ProteinCurves(scores, labels, counts=[True, True]).fmax()
    assert (found.precision, found.recall, found.n_proteins) == (0.5, 0.5, 2)


def test_predictions_outside_the_labelled_pairs_do_not_count():
    labels = np.array([[True, False]])
    labelled = np.array([[True, False]])
    assert ProteinCurves(np.array([[0.9, 0.9]]), labels, labelled).fmax().value == 1.0
    assert ProteinCurves(np.array([[0.9, 0.9]]), labels).fmax().value == pytest.approx(2 / 3)


def test_propagation_is_the_maximum_over_descendants():
    before = RAW.copy()
    np.testing.assert_array_equal(
        propagate_scores(RAW, DESCENDANTS)[:2], [[0.9, 0.9, 0.9, 0.4, 0], [0.6, 0.6, 0, 0.6, 0.6]]
    )
    np.testing.assert_array_equal(RAW, before)


def test_no_true_concept_is_nan_uncalibrated_scores_are_refused():
    assert np.isnan(ProteinCurves(np.ones((2, 2)), np.zeros((2, 2))).fmax().value)
    with pytest.raises(ValueError, match="between 0 and 1"):
        ProteinCurves(np.array([[1.5]]), np.array([[True]]))
