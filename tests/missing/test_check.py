"""Do hidden labels come back, by methods that know them, know something, or know nothing?"""

import numpy as np
import pytest
from tests.missing.missing_example import Example

from protsae.missing.check import CHECK_COLUMNS, HiddenTask, checked_methods
from protsae.missing.config import CandidatesConfig, HidingConfig
from protsae.missing.hiding import without

BELOW = [[1], [], []]
CONFIG = HidingConfig(share=0.2, n_top=10, n_draws=4, n_resamples=50, max_prevalence=0.25)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return Example(tmp_path_factory.mktemp("missing") / "codes")


@pytest.fixture(scope="module")
def task(example):
    clusters = dict(zip(example.ids, example.proteins["cluster_id"], strict=True))
    return HiddenTask.of(example.judge.splits, BELOW, clusters, CONFIG, CandidatesConfig())


@pytest.fixture(scope="module")
def table(example, task):
    return task.check(example.scores())


def at(table, method, metric="precision_at_10", stratum="all"):
    rows = table[(table["method"] == method) & (table["metric"] == metric) & (table["stratum"] == stratum)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_a_method_that_knows_the_truth_finds_only_hidden_labels(table):
    row = at(table, "sae_predictor")
    assert (row["value"], row["high"], row["most"]) == (1, 1, 1)
    assert row["low"] > 0.9, "a resample may hold fewer hidden labels than are looked at"
    assert list(table.columns) == list(CHECK_COLUMNS)


def test_a_method_that_knows_nothing_is_at_the_floor(table):
    row = at(table, "nearest_neighbour")
    assert row["floor"] == pytest.approx(row["n_hidden"] / row["n_candidates"])
    assert abs(row["value"] - row["floor"]) < 0.15
    assert at(table, "sae_latent")["value"] > row["floor"] + 0.3


def test_counts_are_those_of_the_labels(example, task, table):
    test = example.judge.splits["test"]
    n_hidden = [hidden["test"].sum() for hidden in task.hidden]
    row = at(table, "sae_latent")
    assert row["n_hidden"] == np.mean(n_hidden)
    n_negative = (test.labelled & ~test.labels).sum()
    assert row["n_candidates"] == n_negative + np.mean(n_hidden)
    assert (row["n_concepts"], row["n_draws"], row["n_top"]) == (3, 4, 10)
    assert at(table, "sae_latent", stratum="specific")["n_concepts"] == 2, "the wide concept is left out"
    recall = at(table, "sae_latent", "recall_at_10")
    assert recall["most"] == pytest.approx(10 / np.mean(n_hidden))
    assert recall["value"] <= recall["most"] * 1.05


def test_one_draw_against_a_list_written_out(example, task):
    """The best pairs by calibrated probability, which no order within a concept can change."""
    scores = example.scores().values["sae_latent"]
    probabilities = task._decide(scores, task.hidden[0]).probabilities["test"]
    test, hidden = example.judge.splits["test"], task.hidden[0]["test"]
    pairs = [
        (probabilities[i, c], bool(hidden[i, c]))
        for i in range(len(test.protein_ids))
        for c in range(3)
        if test.labelled[i, c] and (hidden[i, c] or not test.labels[i, c])
    ]
    best = sorted(pairs, key=lambda pair: -pair[0])[:10]
    one = HiddenTask(task.splits, task.hidden[:1], task.weights, CONFIG, CandidatesConfig())
    found = at(one.check(example.scores()), "sae_latent")
    assert found["value"] == sum(is_hidden for _, is_hidden in best) / 10


def test_hidden_labels_of_validation_are_not_read(example, task):
    """Calibration sees hidden positives as negatives: other labels there give other probabilities."""
    scores = example.scores().values["sae_latent"]
    seen = without(task.splits["validation"], task.hidden[0]["validation"])
    spoilt = {**task.splits, "validation": seen}
    nothing = {"validation": np.zeros_like(seen.labels), "test": task.hidden[0]["test"]}
    other = HiddenTask(spoilt, [nothing], task.weights, CONFIG, CandidatesConfig())
    one, two = task._decide(scores, task.hidden[0]), other._decide(scores, nothing)
    assert np.array_equal(one.probabilities["test"], two.probabilities["test"])
    full = HiddenTask(task.splits, [nothing], task.weights, CONFIG, CandidatesConfig())
    assert not np.array_equal(full._decide(scores, nothing).probabilities["test"], one.probabilities["test"])


def test_listed_pairs_come_first(example, task, table):
    scores = example.scores().values["sae_latent"]
    decision = task._decide(scores, task.hidden[0])
    found = task._listed_first(scores, decision, task.hidden[0])
    assert set(np.unique(np.floor(found))) <= {-1.0, 0.0, 1.0}
    assert (found[:, 2] < 0).all(), "no latent is reliable for a coin"
    assert (found[:, 0] >= 0).any()
    assert at(table, "sae_listed")["value"] >= at(table, "sae_latent")["value"] - 0.1


def test_methods_of_every_dictionary_and_the_references_are_checked():
    config = HidingConfig(parts=("latent",), references=("prevalence",))
    assert checked_methods(["a", "b"], config) == ["a_latent", "b_latent", "prevalence"]
