"""Subsumption AUC on geometries whose answer is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from protsae.metrics.subsumption import subsumption_auc

ANCESTOR = np.zeros((4, 4), dtype=bool)
ANCESTOR[1, 0] = ANCESTOR[2, 0] = ANCESTOR[2, 1] = True
ASPECTS = np.array(["MFO", "MFO", "MFO", "BPO"])


def test_nested_balls_are_perfect_and_equal_balls_are_chance():
    centres = np.zeros((4, 3))
    nested = np.array([3.0, 2.0, 1.0, 1.0])
    assert subsumption_auc(centres, nested, ANCESTOR, ASPECTS, np.random.default_rng(0)) == (1.0, 3)
    collapsed = subsumption_auc(centres, np.ones(4), ANCESTOR, ASPECTS, np.random.default_rng(0))
    assert collapsed == (0.5, 3)
    inside_out = subsumption_auc(centres, -nested, ANCESTOR, ASPECTS, np.random.default_rng(0))
    assert inside_out == (0.0, 3)


def test_equal_to_a_loop_over_pairs():
    generator = np.random.default_rng(4)
    centres, radii = generator.normal(size=(12, 3)), generator.random(12)
    ancestor = np.triu(generator.random((12, 12)) < 0.3, k=1)
    aspects = np.array(["BPO"] * 7 + ["CCO"] * 5)
    truth, score = [], []
    for c in range(12):
        for d in range(12):
            if c != d and aspects[c] == aspects[d]:
                truth.append(bool(ancestor[c, d]))
                score.append(-(np.sqrt(((centres[c] - centres[d]) ** 2).sum()) + radii[c] - radii[d]))
    value, n_true = subsumption_auc(centres, radii, ancestor, aspects, np.random.default_rng(0))
    assert value == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
    assert n_true == sum(truth)


def test_many_negatives_are_sampled(monkeypatch):
    monkeypatch.setattr("protsae.metrics.subsumption._MAX_PAIRS", 100)
    generator = np.random.default_rng(5)
    ancestor = np.zeros((60, 60), dtype=bool)
    ancestor[1:, 0] = True
    radii = np.r_[5.0, np.ones(59)]
    value, _ = subsumption_auc(
        generator.normal(size=(60, 2)) * 0.1, radii, ancestor, np.repeat("MFO", 60), generator
    )
    assert value == 1.0


def test_no_pairs_gives_nan():
    value, n = subsumption_auc(
        np.zeros((2, 2)),
        np.ones(2),
        np.zeros((2, 2), dtype=bool),
        np.array(["A", "B"]),
        np.random.default_rng(0),
    )
    assert np.isnan(value)
    assert n == 0
