"""Platt scaling against a general optimiser, and what it must never do."""

import numpy as np
import pytest
from scipy.optimize import minimize

from protsae.probing.calibration import fit_calibration


@pytest.fixture
def case():
    generator = np.random.default_rng(0)
    labels = generator.random((80, 5)) < 0.3
    scores = generator.normal(size=(80, 5)) * [1, 100, 1e-3, 1, 1] + labels * [1, 50, 1e-2, -2, 0]
    scores[:, 4] = 0.3  # constant
    return scores, labels, generator.random((80, 5)) < 0.9


def reference(scores, labels):
    """Platt's two parameters by a general-purpose optimiser, on the probabilities of the given scores."""
    n_positive, n_negative = labels.sum(), (~labels).sum()
    target = np.where(labels, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    z = (scores - scores.mean()) / scores.std()

    def loss(parameters):
        logits = parameters[0] * z + parameters[1]
        return (np.logaddexp(0, logits) - target * logits).sum()

    a, b = minimize(loss, [0.0, 0.0], method="BFGS", options={"gtol": 1e-9}).x
    return 1 / (1 + np.exp(-(a * z + b)))


def test_equal_to_a_general_optimiser(case):
    scores, labels, labelled = case
    found = fit_calibration(*case).probabilities(scores)
    for j in range(3):
        keep = labelled[:, j]
        np.testing.assert_allclose(found[keep, j], reference(scores[keep, j], labels[keep, j]), atol=1e-5)


def test_an_order_is_never_reversed_and_a_constant_gets_the_rate(case):
    scores, labels, labelled = case
    found = fit_calibration(*case)
    assert found.slope[3] == 0
    assert (found.slope >= 0).all()
    rate = labels[labelled[:, 4], 4].mean()
    assert np.unique(found.probabilities(scores)[:, 4]) == pytest.approx([rate], abs=0.02)


def test_separable_scores_stay_finite():
    labels = np.arange(20)[:, None] >= 15
    found = fit_calibration(np.arange(20.0)[:, None], labels, np.ones_like(labels))
    probabilities = found.probabilities(np.arange(20.0)[:, None])[:, 0]
    assert np.isfinite(found.slope).all()
    assert (np.diff(probabilities) > 0).all()
    assert probabilities[0] < 0.1 < 0.8 < probabilities[-1]
