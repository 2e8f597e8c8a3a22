"""Splitting on concepts whose latents are known, and its parts against scikit-learn and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, OrthogonalMatchingPursuit
from sklearn.metrics import f1_score
from tests.disentanglement.dictionaries import proteins, subject

from protsae.disentanglement.config import AbsorptionConfig
from protsae.disentanglement.splitting import COLUMNS, Moments, best_f1, f1_at, pursue, splitting


def test_splitting_counts_the_latents_that_a_concept_needs():
    parts = [range(20), range(20, 40), range(40, 60)]  # of the parent
    table, rows = splitting(
        subject([*parts, range(30), range(90, 100)], ["free"] * 5), proteins(), AbsorptionConfig()
    )
    assert tuple(table.columns) == COLUMNS
    parent, child = table.to_dict("records")
    assert parent["n_latents"] == 3
    assert parent["f1_test"] == 1
    assert child["n_latents"] == 1
    assert child["latents"] == "3"
    assert child["f1_test"] == child["f1_validation_first"] == 1
    values = rows.set_index("metric")["value"]
    assert values["splitting_latents"] == 2
    assert values["splitting_share"] == 0.5


def test_splitting_starts_from_the_defined_or_the_best_free_latent():
    """The parent's own latent fires on half; the free latent 2 has the whole."""
    latents = [range(30), range(30), range(60)]
    table, rows = splitting(
        subject(latents, ["defined", "defined", "free"], own=(0, 1)), proteins(), AbsorptionConfig()
    )
    found = table.set_index(["kind", "concept_id"])
    assert found.loc[("defined", "GO:p"), "latents"] == "0;2"
    assert found.loc[("defined", "GO:p"), "f1_test_first"] == pytest.approx(2 * 30 / 90)
    assert found.loc[("free", "GO:p"), "latents"] == "2"
    assert found.loc[("free", "GO:c"), "latents"] == "2", "though a defined one has it exactly"
    assert found.loc[("defined", "GO:c"), "n_latents"] == 1
    assert set(rows["supervision"]) == {"training", "probe"}


def test_latents_and_threshold_are_not_chosen_on_test():
    measured = subject([range(60), range(40)], ["free"] * 2, test=[range(40), range(60)])
    table, _ = splitting(measured, proteins(), AbsorptionConfig())
    parent = table.iloc[0]
    assert (parent["latents"], parent["f1_validation"]) == ("0", 1)
    assert parent["f1_test"] == pytest.approx(2 * 40 / 100)


def test_the_gain_asked_for_decides():
    """The second latent adds 3 of 60 to 57: F1 from .974 to 1."""
    measured = subject([range(57), range(57, 60)], ["free"] * 2)
    for gain, n_latents in ((0.02, 2), (0.03, 1)):
        table, _ = splitting(measured, proteins(), AbsorptionConfig(min_gain=gain))
        assert table.loc[0, "n_latents"] == n_latents
    most = AbsorptionConfig(min_gain=0.02, max_latents=1)
    assert splitting(measured, proteins(), most)[0].loc[0, "n_latents"] == 1


def test_concept_without_a_latent_counts_zero():
    table, _ = splitting(subject([[]], ["free"]), proteins(), AbsorptionConfig())
    assert table["n_latents"].tolist() == [0, 0]
    assert table["f1_test"].isna().all()


def test_pursuit_equals_scikit_learns_where_correlations_are_positive():
    generator = np.random.default_rng(0)
    latents = np.maximum(generator.normal(size=(400, 30)), 0) ** 2
    labels = (latents[:, [3, 7, 11]] @ [1.0, 0.7, 0.5] + 0.3 * generator.normal(size=400) > 2)[:, None]
    moments = Moments.of(latents, labels)
    steps = pursue(moments, 0, np.arange(30), -1, 3)
    standard = (latents - latents.mean(axis=0)) / latents.std(axis=0)
    for k, (chosen, weights) in enumerate(steps, start=1):
        peer = OrthogonalMatchingPursuit(n_nonzero_coefs=k).fit(standard, labels[:, 0].astype(float))
        assert set(chosen.tolist()) == set(np.flatnonzero(peer.coef_).tolist())
        np.testing.assert_allclose(weights, peer.coef_[chosen], rtol=1e-4)
        plain = LinearRegression().fit(standard[:, chosen], labels[:, 0])
        np.testing.assert_allclose(weights, plain.coef_, rtol=1e-4)


def test_constant_and_twin_latents_do_no_harm():
    generator = np.random.default_rng(1)
    own = generator.random(100)
    latents = np.column_stack([np.full(100, 3.0), own, own])
    steps = list(pursue(Moments.of(latents, (own > 0.5)[:, None]), 0, np.arange(3), -1, 3))
    assert steps[0][0].tolist() == [1]
    assert all(np.isfinite(weights).all() for _, weights in steps)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=12))
def test_the_best_threshold_is_the_best_of_all_thresholds(pairs):
    scores = np.array([float(score) for score, _ in pairs])
    labels = np.array([label for _, label in pairs])
    best, threshold = best_f1(scores, labels)
    every = [f1_score(labels, scores >= t, zero_division=0.0) for t in scores]
    assert best == pytest.approx(max(every))
    assert f1_at(scores, labels, threshold) == pytest.approx(best)


def test_no_proteins_have_no_f1():
    assert best_f1(np.zeros(0), np.zeros(0, bool)) == (0.0, np.inf)
