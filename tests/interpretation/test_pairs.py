"""Pairs judged under resampling, against counting by hand, SciPy, and shuffled labels."""

import numpy as np
import pandas as pd
import pytest

from protsae.core.splits import SPLITS
from protsae.interpretation.config import BaselineConfig, ChoiceConfig
from protsae.interpretation.matching import always_on_f1
from protsae.interpretation.pairs import Chosen, NoLatentScores, PairCounts, score_pairs
from protsae.interpretation.proteins import align_proteins
from protsae.metrics.bootstrap import cluster_weights
from protsae.probing.splits import SplitLabels


def test_weights_count_a_protein_as_often_as_it_was_drawn():
    rng = np.random.default_rng(0)
    fired, there = rng.integers(0, 9, (2, 7, 3))
    inside, found = np.minimum(fired, rng.integers(0, 9, (7, 3))), np.minimum(there, 3)
    counts = PairCounts(inside, fired, found, there)
    weights = rng.integers(0, 3, (4, 7))
    f1, precision, recall = counts.scores(weights)
    for w, row in enumerate(weights):
        again = PairCounts(*(np.repeat(x, row, axis=0) for x in (inside, fired, found, there)))
        expected = again.scores()
        np.testing.assert_allclose(f1[w], expected[0])
        for pair in range(3):
            p = again.inside[:, pair].sum() / max(again.fired[:, pair].sum(), 1)
            r = again.found[:, pair].sum() / max(again.there[:, pair].sum(), 1)
            assert (precision[w, pair], recall[w, pair]) == pytest.approx((p, r))
            assert f1[w, pair] == pytest.approx(2 * p * r / (p + r) if p + r else 0)


def test_best_latents_come_first_and_ties_by_position():
    f1 = np.array([[0.1, 0.5], [0.9, 0.5], [0.9, 0.6]])
    chosen = Chosen.best(f1, 10 * f1, 1 - f1, 2)
    assert chosen.concept.tolist() == [0, 0, 1, 1]
    assert chosen.rank.tolist() == [1, 2, 1, 2]
    assert chosen.latent.tolist() == [1, 2, 2, 0]
    assert chosen.threshold.tolist() == [9, 9, 6, 5]
    np.testing.assert_allclose(chosen.f1_validation, [0.1, 0.1, 0.4, 0.5])
    assert len(Chosen.best(f1, f1, f1, 10).latent) == 6


def one_pair(inside, fired, there, identity, n=40):
    ones = np.ones((n, 1), dtype=int)
    counts = PairCounts(inside * ones, fired * ones, inside * ones, there * ones)
    floor = NoLatentScores(
        pd.DataFrame({"aspect": ["x"], "concept_id": ["c"], "name": ["n"], "represented_by": ["c"]}),
        np.array([0.3]),
        PairCounts(*(v * ones for v in (identity, identity, identity, there))),
    )
    chosen = Chosen(*(np.array([v]) for v in (0, 1, 5, 0.5, 0.7)))
    weights = cluster_weights(range(n), 50, np.random.default_rng(0))
    return score_pairs(chosen, counts, floor, weights, ChoiceConfig(n_resamples=50)).table.iloc[0]


@pytest.mark.parametrize(
    ("inside", "fired", "there", "identity", "is_found"),
    [
        (4, 4, 4, 2, True),
        (4, 4, 4, 4, False),  # residue identity is as good
        (1, 4, 4, 0, False),  # F1 is .25
        (1, 2, 2, 0, False),  # F1 is .5, not above
    ],
)
def test_found_is_above_one_half_and_above_both_baselines(inside, fired, there, identity, is_found):
    row = one_pair(inside, fired, there, identity)
    assert row["f1_test"] == pytest.approx(2 * inside / (fired + there))
    assert row["is_found"] == is_found
    assert row["p_value"] == pytest.approx(1 if identity == inside else 1 / 51)
    assert row["precision_test"] == inside / fired


def test_shuffled_labels_respect_the_false_discovery_rate():
    """Twenty shuffles of whole label vectors: no concept passes, though the best of 300 latents is taken."""
    rng = np.random.default_rng(1)
    config = ChoiceConfig(n_resamples=100)
    latents = {split: np.maximum(rng.normal(size=(120, 300)), 0) for split in SPLITS}
    letters = {split: rng.random((120, 20)) for split in latents}
    truth = rng.random((360, 6)) < [0.1, 0.2, 0.3, 0.4, 0.4, 0.2]
    weights = cluster_weights(np.arange(120) // 2, 100, rng)
    about = pd.DataFrame({"aspect": "x", "concept_id": list("abcdef"), "name": ""})
    about = about.assign(represented_by=about["concept_id"])
    passed = []
    for _ in range(20):
        shuffled = truth[rng.permutation(360)]
        labels = {
            split: SplitLabels([], part, np.ones_like(part))
            for split, part in zip(latents, np.split(shuffled, 3), strict=True)
        }
        _, identity = align_proteins(letters, labels, config.model_copy(update={"n_latents": 1}))
        chosen, counts = align_proteins(latents, labels, config)
        floor = NoLatentScores(about, always_on_f1(labels["test"]), identity)
        table = score_pairs(chosen, counts, floor, weights, config).table
        passed.append(int((table["is_found"] & (table["q_value"] <= 0.05)).sum()))
    assert sum(passed) <= 0.05 * 20 * 6


def test_configs_refuse_what_cannot_be():
    with pytest.raises(ValueError, match="ascend"):
        ChoiceConfig(thresholds=(0.5, 0.2))
    with pytest.raises(ValueError, match="exceeds"):
        BaselineConfig(n_directions=8, k=9)
