"""MonoSemanticity against pair loops, all permutations, a jackknife by hand, and a null of random latents."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array

from protsae.metrics.monosemanticity import (
    Blocks,
    Groups,
    InnerProducts,
    monosemanticity,
    scaled,
)
from protsae.metrics.significance import benjamini_hochberg


def unit_vectors(generator, n, d=4):
    vectors = generator.normal(size=(n, d)) + 0.5
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def both_judges(vectors, names):
    groups = Groups.of(names)
    similarity = vectors @ vectors.T
    return InnerProducts(vectors, groups), Blocks(lambda rows: similarity[rows], groups)


def slow_ratio(activations, similarity, names, left_out=None):
    """Weighted mean similarity over pairs of different groups, pair by pair."""
    size = {name: list(names).count(name) for name in names}
    above = below = 0.0
    for i, j in combinations(range(len(names)), 2):
        if names[i] == names[j] or left_out in (names[i], names[j]):
            continue
        weight = activations[i] * activations[j] / size[names[i]] / size[names[j]]
        above, below = above + weight * similarity[i, j], below + weight
    return above / below if below else np.nan


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(6, 14), st.integers(3, 14))
def test_both_judges_equal_loops_over_pairs_and_left_out_groups(seed, n, n_names):
    generator = np.random.default_rng(seed)
    vectors, names = unit_vectors(generator, n), generator.integers(0, n_names, n)
    activations = generator.random((n, 3)) * (generator.random((n, 3)) < 0.7)
    if len(set(names)) < 3:
        return
    similarity, values = vectors @ vectors.T, scaled(activations)
    dense = values.toarray()
    background = slow_ratio(np.ones(n), similarity, names)
    for judge in both_judges(vectors, names):
        found = monosemanticity(values, judge)
        assert found.background == pytest.approx(background, abs=1e-12)
        for latent in range(3):
            raw = slow_ratio(dense[:, latent], similarity, names)
            np.testing.assert_allclose(found.raw[latent], raw, atol=1e-12)
            np.testing.assert_allclose(found.score[latent], (raw - background) / (1 - background), atol=1e-12)
            replicates = []
            for name in sorted(set(names)):
                left = slow_ratio(dense[:, latent], similarity, names, name)
                without = slow_ratio(np.ones(n), similarity, names, name)
                replicates.append((left - without) / (1 - without))
            deviation = np.array(replicates) - np.mean(replicates)
            error = np.sqrt((len(replicates) - 1) / len(replicates) * (deviation**2).sum())
            width = found.high[latent] - found.low[latent]
            assert np.isnan(error) == np.isnan(width)
            if error > 1e-6:
                from scipy.stats import t

                freedom = max(found.n_effective[latent] - 1, 1)
                assert width == pytest.approx(2 * t.ppf(0.975, freedom) * error, rel=1e-6)
                assert found.p_value[latent] == pytest.approx(t.sf(found.score[latent] / error, freedom))


def test_a_case_by_hand():
    """Three items, one like the first by .6, activations 1, .5 and 0: one pair counts, of weight .5."""
    similarity = np.array([[1, 0.6, 0.0], [0.6, 1, 0.3], [0.0, 0.3, 1]])
    judge = Blocks(lambda rows: similarity[rows], Groups.of(["a", "b", "c"]))
    found = monosemanticity(scaled(np.array([[4.0], [2.0], [0.0]])), judge)
    assert found.raw[0] == pytest.approx(0.6)
    assert found.background == pytest.approx(0.3)
    assert found.score[0] == pytest.approx((0.6 - 0.3) / 0.7)
    assert (found.n_active[0], found.n_active_groups[0]) == (2, 2)
    assert found.n_effective[0] == pytest.approx(1.5**2 / 1.25)


def test_background_equals_the_mean_over_all_permutations():
    generator = np.random.default_rng(5)
    vectors = np.abs(unit_vectors(generator, 6))
    activations = np.array([1.0, 0.4, 0.0, 0.9, 0.0, 0.1])
    shuffled = np.array([activations[list(order)] for order in permutations(range(6))]).T
    for judge in both_judges(vectors, np.arange(6)):
        found = monosemanticity(scaled(shuffled), judge)
        assert found.raw.mean() == pytest.approx(found.background, abs=1e-12)
        assert found.background > 0.05, "the published score would call this meaning"
        assert found.score.mean() == pytest.approx(0, abs=1e-12)


def test_pure_latent_scores_one_and_mixed_latent_zero():
    kind = np.arange(60) % 3
    vectors = np.eye(3)[kind]
    mixed = np.zeros(60)
    mixed[:30] = 1.0
    found = monosemanticity(
        scaled(np.column_stack([kind == 0, mixed]).astype(float)),
        InnerProducts(vectors, Groups.of(np.arange(60))),
    )
    assert found.score[0] == pytest.approx(1)
    assert found.p_value[0] < 1e-6
    assert abs(found.score[1]) < 0.05


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_scaling_activations_and_reordering_items_change_nothing(seed, factor):
    generator = np.random.default_rng(seed)
    vectors, names = unit_vectors(generator, 20), generator.integers(0, 12, 20)
    activations = generator.random((20, 4)) * (generator.random((20, 4)) < 0.6)
    order = generator.permutation(20)
    for judge, moved in zip(
        both_judges(vectors, names), both_judges(vectors[order], names[order]), strict=True
    ):
        first = monosemanticity(scaled(activations), judge)
        second = monosemanticity(scaled(csc_array(factor * activations[order])), moved)
        for name in ("raw", "score", "low", "p_value", "n_effective"):
            np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=1e-8, atol=1e-10)


def test_relatives_neither_count_as_a_pair_nor_outvote_others():
    """Ten copies of one protein say no more than the one."""
    vectors = np.array([[1.0, 0], [0.8, 0.6], [0, 1.0]])
    single = monosemanticity(scaled(np.ones((3, 1)) * [[1], [1], [0]]), both_judges(vectors, [0, 1, 2])[0])
    rows = [0] * 10 + [1, 2]
    copied = monosemanticity(scaled(np.array([[1.0]] * 11 + [[0.0]])), both_judges(vectors[rows], rows)[0])
    assert copied.raw[0] == pytest.approx(single.raw[0])
    assert copied.background == pytest.approx(single.background)
    assert (copied.n_active[0], copied.n_active_groups[0]) == (11, 2)
    assert copied.n_effective[0] == pytest.approx(2)


def test_scaling_subtracts_the_minimum_and_empties_constant_latents():
    values = scaled(np.array([[-2.0, 3.0, 0.0], [2.0, 3.0, 5.0], [0.0, 3.0, 10.0]])).toarray()
    np.testing.assert_allclose(values, [[0, 0, 0], [1, 0, 0.5], [0.5, 0, 1]])
    found = monosemanticity(scaled(np.full((3, 1), 7.0)), both_judges(np.eye(3), [0, 1, 2])[0])
    assert np.isnan([found.raw[0], found.score[0], found.p_value[0]]).all()
    assert found.n_active[0] == 0


@pytest.mark.parametrize("tail", [0.3, 1.5])
@pytest.mark.parametrize("density", [0.03, 1.0])
@pytest.mark.parametrize("hubs", [0.0, 0.5])
def test_random_latents_are_not_called_meaningful(hubs, density, tail):
    """Also where some items resemble all others (hubs), and where few items have most of the activation."""
    generator = np.random.default_rng(1)
    vectors, names = generator.normal(size=(600, 20)) + hubs, generator.integers(0, 300, 600)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    fires = generator.random((600, 500)) < density
    activations = fires * np.exp(tail * generator.normal(size=(600, 500)))
    found = monosemanticity(scaled(activations), InnerProducts(vectors, Groups.of(names)))
    judged = found.n_effective >= 5
    assert judged.sum() > 250
    assert abs(found.score[judged].mean()) < 0.005
    assert (found.p_value[judged] < 0.05).mean() <= 0.05
    assert not (benjamini_hochberg(found.p_value) < 0.05).any()
