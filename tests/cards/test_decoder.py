"""Directions: neighbours, antipodal twins, and the map."""

import numpy as np
import pytest

from protsae.cards.config import DirectionsConfig
from protsae.cards.decoder import direction_table, placed


def test_twins_and_neighbours_are_those_planted():
    decoder = np.eye(6)[:5] * 3.0  # lengths do not matter
    decoder = np.vstack([decoder, -decoder[0], decoder[1] + 0.5 * decoder[2]])
    encoder = np.vstack([np.eye(6)[:5], -np.eye(6)[0], np.eye(6)[1]])
    found = direction_table(decoder, encoder, DirectionsConfig(n_neighbours=2))
    assert found["antipode"][0] == 5 and found["antipode"][5] == 0
    assert found["antipode_cosine"][0] == pytest.approx(-1)
    assert found["antipode_score"].tolist() == pytest.approx([1, 0, 0, 0, 0, 1, 0])
    assert found["duplicate_score"].tolist() == pytest.approx([0, 2 / 5**0.5, 0, 0, 0, 0, 2 / 5**0.5])
    assert found["neighbours"][6].tolist() == [1, 2]
    np.testing.assert_allclose(found["neighbour_cosines"][6], [2 / 5**0.5, 1 / 5**0.5], rtol=1e-6)


def test_a_duplicate_whose_encoder_differs_is_no_duplicate():
    found = direction_table(np.ones((5, 3)), np.eye(5), DirectionsConfig(n_neighbours=1))
    assert found["duplicate_score"].tolist() == [0] * 5


def test_map_is_the_same_for_the_same_seed_and_keeps_neighbours():
    generator = np.random.default_rng(0)
    centres = np.repeat(generator.normal(size=(3, 20)), 30, axis=0)
    directions = centres + 0.1 * generator.normal(size=centres.shape)
    one, two = (direction_table(directions, directions, DirectionsConfig()) for _ in range(2))
    np.testing.assert_array_equal(one[["x", "y"]], two[["x", "y"]])
    places = one[["x", "y"]].to_numpy()
    distance = np.linalg.norm(places[:, None] - places, axis=2) + np.diag([np.inf] * 90)
    nearest = distance.argmin(axis=1) // 30
    assert (nearest == np.arange(90) // 30).mean() == 1


def test_latents_that_tsne_leaves_out_lie_among_their_nearest():
    generator = np.random.default_rng(0)
    centres = np.repeat(generator.normal(size=(3, 20)), 60, axis=0)
    directions = centres + 0.1 * generator.normal(size=centres.shape)
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    places = placed(unit, DirectionsConfig(max_placed=60, perplexity=5))
    assert np.isfinite(places).all()
    group = np.arange(180) // 60
    means = np.stack([places[group == g].mean(axis=0) for g in range(3)])
    nearest = np.linalg.norm(places[:, None] - means, axis=2).argmin(axis=1)
    assert (nearest == group).mean() == 1


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_narrow_dictionaries_have_a_map(n):
    found = direction_table(np.eye(5)[:n], np.eye(5)[:n], DirectionsConfig())
    assert len(found) == n and np.isfinite(found[["x", "y"]]).all(axis=None)
    assert all(len(own) == min(5, n - 1) for own in found["neighbours"])
