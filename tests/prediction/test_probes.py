"""Ridge probes of variants against scikit-learn taken step by step."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from protsae.core.seeding import numpy_generator
from protsae.prediction.config import ProbesConfig
from protsae.prediction.probes import one_hot, probe_variants, summary

CONFIG = ProbesConfig(sizes=(24,), n_draws=3, alphas=(1.0, 100.0))


@pytest.fixture(scope="module")
def planted():
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 6))
    scores = x @ random.normal(size=6) + 0.1 * random.normal(size=120)
    noise = random.normal(size=(120, 40))
    return scores, {"signal": x, "noise": noise}, {"ratio": scores.round(1), "constant": np.zeros(120)}


@pytest.fixture(scope="module")
def probes(planted):
    return probe_variants(*planted, CONFIG, "P")


def by_hand(x, y, new):
    """Return predictions with the penalty of the least squared error over five folds."""
    mean, sd = x.mean(axis=0), x.std(axis=0)
    x, new = (x - mean) / sd, (new - mean) / sd
    from sklearn.model_selection import KFold

    errors = []
    for alpha in CONFIG.alphas:
        of_folds = []
        for fit, held in KFold(5, shuffle=True, random_state=0).split(x):
            model = Ridge(alpha).fit(x[fit], y[fit])
            residual = np.square(y[held] - model.predict(x[held])).sum()
            of_folds.append(1 - residual / np.square(y[held] - y[held].mean()).sum())
        errors.append(np.mean(of_folds))
    alpha = CONFIG.alphas[int(np.argmax(errors))]
    return Ridge(alpha).fit(x, y).predict(new), alpha


def test_probes_are_ridge_regressions_of_the_drawn_variants(planted, probes):
    scores, features, _ = planted
    for draw in range(3):
        order = numpy_generator(0, "variants", "P", str(draw)).permutation(120)
        test, rest = order[:24], order[24:]
        for name, n in product(features, (24, 96)):
            x, train = features[name], rest[:n]
            predicted, alpha = by_hand(x[train], scores[train], x[test])
            row = probes[(probes[["features", "n_train", "draw"]] == [name, n, draw]).all(axis=1)].iloc[0]
            assert row["alpha"] == alpha and row["n_test"] == 24
            assert row["spearman"] == pytest.approx(spearmanr(predicted, scores[test]).statistic)


def test_the_signal_is_found_and_noise_is_not(probes):
    found = summary(probes).set_index(["features", "n_train"])
    assert found.loc[("signal", 96), "mean"] > 0.95 > 0.3 > abs(found.loc[("noise", 96), "mean"])
    assert found.loc[("signal", 24), "lowest"] > 0.8
    assert found.loc[("ratio", 0), "mean"] > 0.95 and found.loc[("ratio", 0), "n_draws"] == 3
    of = probes.query("features == 'signal' and n_train == 24")["spearman"]
    assert found.loc[("signal", 24), "sd"] == pytest.approx(of.std(ddof=1))


def test_a_constant_has_no_correlation(probes):
    assert probes[probes["features"] == "constant"]["spearman"].isna().all()
    assert pd.isna(summary(probes).set_index("features").loc["constant", "mean"])


def test_sizes_beyond_the_variants_are_left_out(planted):
    scores, features, ratios = planted
    few = {name: of[:30] for name, of in features.items()}
    found = probe_variants(scores[:30], few, {k: v[:30] for k, v in ratios.items()}, ProbesConfig(), "P")
    assert set(found["n_train"]) == {0, 24}


def test_one_hot_is_of_varied_positions():
    assert one_hot(["MKA", "MRA", "MKX"]).shape == (3, 2 * 21)
    assert one_hot(["MKA", "MRA"]).sum() == 2


@pytest.mark.parametrize("size", [4, 5, 9])
def test_few_variants_choose_a_penalty_too(planted, size):
    """Scikit-learn warns of folds of one variant, whose score is no number."""
    scores, features, _ = planted
    config = ProbesConfig(sizes=(size,), n_draws=2, alphas=(1e-3, 1e6))
    found = probe_variants(scores, {"signal": features["signal"]}, {}, config, "P")
    assert set(found.loc[found["n_train"] == size, "alpha"]) <= {1e-3, 1e6}
