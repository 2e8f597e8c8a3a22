"""Means, spreads and paired differences over seeds, by hand."""

import numpy as np
import pandas as pd
import pytest

from helpers.seeds import MEAN_OF_SEEDS, SD_OF_SEEDS, over_seeds, summarise_seeds
from protsae.probing.estimates import Estimate, Key, MethodEvaluation

METHODS = {"protsae_latent": "training", "topk_latent": "selection", "linear_probe": "probe"}
NOISE = np.random.default_rng(0).normal(size=400)  # shared by all methods: what pairing takes out


def evaluation(values):
    """One seed: method to AUC, resampled with one and the same noise."""
    return {
        (method, "test"): MethodEvaluation(
            {Key.of("auc", "mean"): Estimate(value, 3, None if value is None else value + 0.1 * NOISE)},
            pd.DataFrame(),
        )
        for method, value in values.items()
    }


@pytest.fixture
def evaluations():
    base = dict.fromkeys(METHODS, 0.5)
    return [
        evaluation({**base, "protsae_latent": 0.7 + d, "topk_latent": 0.6 - d}) for d in (0.0, 0.02, 0.04)
    ]


def rows(evaluations):
    table = summarise_seeds(
        evaluations,
        METHODS,
        [("protsae_latent", "topk_latent")],
        metrics=["auc"],
        aspects=["mean"],
        confidence=0.95,
    )
    return table.set_index(["method", "stratum"])


def test_mean_and_sample_deviation_over_seeds(evaluations):
    table = rows(evaluations)
    assert table.loc[("protsae_latent", MEAN_OF_SEEDS), "value"] == pytest.approx(0.72)
    assert table.loc[("protsae_latent", SD_OF_SEEDS), "value"] == pytest.approx(0.02)
    low, high = table.loc[("protsae_latent", MEAN_OF_SEEDS), ["low", "high"]]
    expected = 0.72 + 0.1 * np.quantile(NOISE, [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(expected))
    assert np.isnan(table.loc[("protsae_latent", SD_OF_SEEDS), "low"])


def test_differences_are_paired_so_that_shared_noise_cancels(evaluations):
    row = rows(evaluations).loc[("protsae_latent - topk_latent", MEAN_OF_SEEDS)]
    assert row[["value", "low", "high"]].tolist() == pytest.approx([0.14, 0.14, 0.14])


def test_methods_that_are_not_named_have_no_rows():
    table = summarise_seeds(
        [evaluation({"prevalence": 0.4}), evaluation({"prevalence": 0.6})],
        {"prevalence": "none"},
        (),
        metrics=["auc"],
        aspects=["mean"],
        confidence=0.95,
    )
    assert table["method"].tolist() == ["prevalence", "prevalence"]
    assert table["value"].tolist() == pytest.approx([0.5, 0.02**0.5])


def test_one_seed_has_no_spread_and_missing_resamples_are_refused(evaluations):
    assert SD_OF_SEEDS not in rows(evaluations[:1]).index.get_level_values("stratum")
    bare = {
        ("prevalence", "test"): MethodEvaluation({Key.of("auc", "mean"): Estimate(0.5, 3)}, pd.DataFrame())
    }
    with pytest.raises(ValueError, match="no resamples"):
        over_seeds([bare], "prevalence", "auc")


def test_average_precision_has_the_interval_of_its_kind():
    """The resamples of average precision lie too high; its interval does not."""
    samples = 0.35 + 0.02 * NOISE
    found = {
        ("m", "test"): MethodEvaluation({Key.of("aupr", "mean"): Estimate(0.3, 3, samples)}, pd.DataFrame())
    }
    table = summarise_seeds([found], {"m": "probe"}, [], metrics=["aupr"], aspects=["mean"], confidence=0.95)
    half = 1.959964 * samples.std(ddof=1)
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([0.3 - half, 0.3 + half])
