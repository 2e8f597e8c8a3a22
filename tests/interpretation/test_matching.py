"""Matching of latents and concepts against scikit-learn, with the choice made on validation."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from protsae.interpretation.config import ExampleConfig, MatchingConfig
from protsae.interpretation.matching import FiringCounts, match_latents, rank_concepts, threshold_grid
from protsae.interpretation.tables import summarise, top_proteins
from protsae.probing.splits import SplitLabels

CONFIG = MatchingConfig(quantiles=(0.5, 0.8))


def labels_of(truth, labelled=None):
    ids = [f"P{i}" for i in range(len(truth))]
    return SplitLabels(ids, truth, np.ones_like(truth) if labelled is None else labelled)


@pytest.fixture
def case():
    generator = np.random.default_rng(0)
    maxima = [np.maximum(generator.normal(size=(50, 7)), 0).astype(np.float32) for _ in range(2)]
    labels = [labels_of(generator.random((50, 4)) < 0.3, generator.random((50, 4)) < 0.8) for _ in range(2)]
    return (*maxima, *labels)


def matched(validation_max, test_max, validation, test, config):
    pooled = {"validation": validation_max, "test": test_max}
    return match_latents(pooled, {"validation": validation, "test": test}, config)


def slow(maxima, threshold, labels, concept):
    keep = labels.labelled[:, concept]
    true, called = labels.labels[keep, concept], maxima[keep] > threshold
    return [metric(true, called, zero_division=0) for metric in (f1_score, precision_score, recall_score)]


def test_equal_to_loops_over_latents_concepts_and_thresholds(case):
    validation_max, test_max, validation, test = case
    found = matched(*case, CONFIG)
    grid = threshold_grid(validation_max, CONFIG.quantiles)
    for latent in range(7):
        for concept in range(4):
            levels = np.sort(grid[:, latent])
            tried = [slow(validation_max[:, latent], t, validation, concept)[0] for t in levels]
            best = levels[int(np.argmax(tried))]
            assert found.threshold[latent, concept] == best
            pair = latent, concept
            expected = slow(validation_max[:, latent], best, validation, concept)
            chosen = found.validation
            assert (chosen.f1[pair], chosen.precision[pair], chosen.recall[pair]) == pytest.approx(expected)
            expected = slow(test_max[:, latent], best, test, concept)
            assert (
                found.test.f1[pair],
                found.test.precision[pair],
                found.test.recall[pair],
            ) == pytest.approx(expected)


@pytest.mark.parametrize("selection", ["train", "validation", "train_and_validation"])
def test_f1_of_the_selection_is_at_the_threshold_of_validation(case, selection):
    validation_max, test_max, validation, test = case
    generator = np.random.default_rng(9)
    pooled = {"train": np.maximum(generator.normal(size=(70, 7)), 0), "validation": validation_max}
    train = labels_of(generator.random((70, 4)) < 0.4, generator.random((70, 4)) < 0.8)
    splits = {"train": train, "validation": validation, "test": test}
    found = match_latents({**pooled, "test": test_max}, splits, CONFIG, selection)
    names = ["train", "validation"] if selection == "train_and_validation" else [selection]
    values, joined = np.concatenate([pooled[n] for n in names]), SplitLabels.joined(splits, names)
    for latent, concept in np.ndindex(7, 4):
        expected = slow(values[:, latent], found.threshold[latent, concept], joined, concept)[0]
        assert found.selection[latent, concept] == pytest.approx(expected)
    np.testing.assert_array_equal(found.threshold, matched(*case, CONFIG).threshold)


def test_the_floor_is_the_f1_of_a_latent_that_always_fires(case):
    *_, validation, test = case
    found = matched(*case, CONFIG)
    for concept in range(4):
        for labels, floor in ((validation, found.always_on_validation), (test, found.always_on)):
            keep = labels.labelled[:, concept]
            expected = f1_score(labels.labels[keep, concept], np.ones(keep.sum()))
            assert floor[concept] == pytest.approx(expected)
        keep = test.labelled[:, concept]
        p = test.labels[keep, concept].mean()
        assert found.always_on[concept] == pytest.approx(2 * p / (1 + p))


def test_concept_and_threshold_are_chosen_on_validation_not_test():
    """On validation the latent means concept 0 above 1.0; on test concept 1 would be perfect."""
    first = np.arange(20)[:, None] < 5
    validation_max = np.where(first, 2.0, np.where(np.arange(20)[:, None] < 12, 1.0, 0.0))
    other = np.arange(20)[:, None] >= 14
    test_max = np.where(other, 2.0, 0.0)
    validation, test = labels_of(np.hstack([first, other])), labels_of(np.hstack([first, other]))
    found = matched(validation_max, test_max, validation, test, CONFIG)
    assert rank_concepts(found)[0, 0] == 0
    assert found.threshold[0, 0] == 1.0
    assert found.validation.f1[0, 0] == 1.0
    assert found.test.f1[0, 0] == 0.0
    best_on_test = FiringCounts(test_max, np.zeros((1, 1)), test).scores(0)
    assert best_on_test.f1[0].tolist() == [0.0, 1.0]


def test_a_common_concept_does_not_win_by_being_common():
    """A latent that fires nearly everywhere agrees with the common concept (F1 .95) but tells nothing of
    it."""
    common = np.arange(40)[:, None] >= 4
    rare = np.arange(40)[:, None] >= 34
    maxima = np.where(rare | (np.arange(40)[:, None] == 0), 1.0, 0.0) + 0.5 * (np.arange(40)[:, None] > 1)
    labels = labels_of(np.hstack([common, rare]))
    found = matched(maxima, maxima, labels, labels, CONFIG)
    assert found.validation.f1[0, 0] > found.validation.f1[0, 1]
    assert found.margin[0, 0] < found.margin[0, 1]
    assert rank_concepts(found)[0].tolist() == [1, 0]


def test_a_latent_that_never_fires_matches_nothing():
    truth = np.arange(6)[:, None] < 2
    found = matched(np.zeros((6, 1)), np.zeros((6, 1)), labels_of(truth), labels_of(truth), CONFIG)
    assert found.validation.f1[0, 0] == 0
    assert found.test.f1[0, 0] == 0


def test_top_proteins_are_ranked_by_pooled_latent_with_their_peak():
    none = np.zeros((2, 1), dtype=bool)
    splits = {"validation": SplitLabels(["a", "b"], none, none), "test": SplitLabels(["c", "d"], none, none)}
    pooled = {"validation": np.array([[0.1], [0.0]]), "test": np.array([[0.3], [0.1]])}
    maxima = {"validation": np.array([[9.0], [0.0]]), "test": np.array([[1.0], [2.0]])}
    top = top_proteins(np.array([0]), pooled, maxima, splits, ExampleConfig(n_proteins=4))
    assert [(r["rank"], r["protein_id"], r["pooled_act"], r["max_act"]) for r in top] == [
        (1, "c", 0.3, 1.0),
        (2, "a", 0.1, 9.0),
        (3, "d", 0.1, 2.0),
    ]


def test_found_concepts_of_near_twins_count_once():
    """Three latents stand for three concepts on test, two of which one of them represents."""
    latents = pd.DataFrame(
        {
            "method": "a",
            "kind": "free",
            "latent": range(4),
            "best_concept_id": ["GO:1", "GO:2", "GO:3", "GO:4"],
            "best_represented_by": ["GO:1", "GO:1", "GO:3", "GO:4"],
            "f1_validation": 0.9,
            "f1_test": [0.8, 0.8, 0.8, 0.1],
            "f1_test_always_on": 0.5,
        }
    )
    row = summarise(latents).iloc[0]
    assert row[["n_above_always_on", "n_concepts_above_always_on"]].tolist() == [3, 2]
