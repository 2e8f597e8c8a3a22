"""Cluster resampling: clusters move together, one-class concepts are counted, and it is fast."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from protsae.core.seeding import numpy_generator
from protsae.metrics.bootstrap import (
    cluster_weights,
    interval,
    interval_kind,
    macro_mean,
    normal_interval,
    percentile_interval,
)
from protsae.metrics.ranking import Ranking


def test_resampling_draws_whole_clusters_as_many_as_there_are():
    clusters = np.array(["a", "b", "a", "c", "c", "c"])
    weights = cluster_weights(clusters, 500, numpy_generator(0, "test"))
    assert weights.shape == (500, 6)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 3], weights[:, 5])
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(axis=1), 3)
    assert abs(weights[:, 1].mean() - 1) < 0.1
    again = cluster_weights(clusters, 500, numpy_generator(0, "test"))
    np.testing.assert_array_equal(weights, again)


def test_resampled_macro_auc_equals_a_loop_over_resamples():
    generator = np.random.default_rng(3)
    labels, scores = generator.random((40, 5)) < 0.08, generator.random((40, 5))
    clusters = generator.integers(0, 12, size=40)
    weights = cluster_weights(clusters, 20, numpy_generator(1))
    means, left_out = macro_mean(Ranking(scores, labels).roc_auc(weights))
    assert left_out.max() > 0, "the case must hold resamples in which a concept has one class"
    for b, counts in enumerate(weights):
        rows = np.repeat(np.arange(40), counts)
        both = [j for j in range(5) if 0 < labels[rows, j].sum() < len(rows)]
        assert left_out[b] == 5 - len(both)
        expected = np.mean([roc_auc_score(labels[rows, j], scores[rows, j]) for j in both])
        assert means[b] == pytest.approx(expected, abs=1e-12)


def test_interval_holds_the_central_share_and_skips_missing_values():
    values = np.append(np.arange(101.0), np.nan)
    assert percentile_interval(values, 0.9) == pytest.approx((5.0, 95.0))
    assert np.isnan(percentile_interval(np.array([np.nan])).low)
    means, left_out = macro_mean(np.array([[np.nan, np.nan], [1.0, np.nan]]))
    assert np.isnan(means[0])
    assert means[1] == 1.0
    np.testing.assert_array_equal(left_out, [2, 1])


def test_normal_interval_is_the_value_and_its_standard_error():
    samples = np.array([0.3, 0.5, 0.1, np.nan, 0.7])  # variance (1 + 1 + 9 + 9) / 100 / 3
    half = 1.959963985 * np.sqrt(0.2 / 3)
    assert normal_interval(0.2, samples) == pytest.approx((0.2 - half, 0.2 + half))
    assert normal_interval(0.2, samples + 5) == pytest.approx((0.2 - half, 0.2 + half))
    assert normal_interval(0.2, samples, 0.9).high == pytest.approx(0.2 + 1.644853627 * np.sqrt(0.2 / 3))
    assert np.isnan(normal_interval(0.2, np.array([0.3, np.nan]))).all()


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        *(
            (name, "percentile")
            for name in ("auc", "fmax", "wfmax", "smin", "aupr_micro", "fve", "k_sparse_auc")
        ),
        *(
            (name, "normal")
            for name in ("aupr", "f1", "relevance_f1", "residue_f1_top", "aupr_over_identity")
        ),
    ],
)
def test_a_metric_has_one_kind_of_interval(metric, kind):
    samples = np.random.default_rng(0).exponential(size=200)
    expected = {"percentile": percentile_interval(samples, 0.9), "normal": normal_interval(1.3, samples, 0.9)}
    assert interval_kind(metric) == kind
    assert interval(metric, 1.3, samples, 0.9) == expected[kind]


def test_scores_that_know_nothing_lie_inside_their_interval():
    """Few positives: percentiles of average precision leave most of the values out."""
    inside = {"percentile": 0, "interval": 0}
    for seed in range(10):
        generator = np.random.default_rng(seed)
        labels = (generator.random((60, 150)) < 0.06)[np.arange(180) // 3]
        ranking = Ranking(generator.random((180, 150)), labels)
        weights = cluster_weights(np.arange(180) // 3, 100, numpy_generator(seed))
        value, samples = (
            macro_mean(ranking.average_precision())[0],
            macro_mean(ranking.average_precision(weights))[0],
        )
        for name, found in (
            ("percentile", percentile_interval(samples)),
            ("interval", interval("aupr", float(value), samples)),
        ):
            inside[name] += found.low <= value <= found.high
    assert inside["interval"] == 10
    assert inside["percentile"] < 5


def test_200_resamples_of_50_concepts_take_under_three_seconds():
    generator = np.random.default_rng(0)
    labels, scores = generator.random((200, 50)) < 0.2, generator.random((200, 50))
    weights = cluster_weights(generator.integers(0, 80, size=200), 200, numpy_generator(0))
    ranking = Ranking(scores, labels)
    started = time.perf_counter()
    for metric in (ranking.roc_auc, ranking.average_precision):
        metric(weights)
    assert time.perf_counter() - started < 3


def test_the_kinds_are_those_that_held_the_truth_in_simulations():
    """By the committed table of benchmarks/interval_coverage.py."""
    table = pd.read_csv(Path(__file__).parents[2] / "docs/results/interval_coverage.csv")
    wide = table.pivot_table(index=["metric", "method"], columns="kind", values="holds_expected")
    for (metric, method), row in wide.iterrows():
        kind = interval_kind(metric)
        assert row[kind] > 0.92, (metric, method)
        assert row[kind] > row[["percentile", "normal"]].max() - 0.015, (metric, method)
