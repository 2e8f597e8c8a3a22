"""Planted dictionaries: what is drawn, what recovery and absorption say of known answers, and how much of
them each architecture finds."""

import math
from functools import cache

import pytest
import torch

from helpers.planted import Planted, PlantedBatches, judge_on_planted
from protsae.core.seeding import torch_generator
from protsae.sae.config import CONFIGS, shaped_config
from protsae.sae.registry import build

pytestmark = pytest.mark.end_to_end


def _generator():
    return torch.Generator().manual_seed(0)


def test_flat_features_fire_independently_at_the_given_rate():
    planted = Planted.flat(20, 12, 3, _generator())
    x, coefficients = planted.draw(20_000, _generator())
    fires = coefficients > 0
    assert torch.equal(x, coefficients @ planted.directions)
    assert float(fires.double().sum(dim=1).mean()) == pytest.approx(3, rel=0.02)
    assert (fires.double().mean(dim=0) - 0.15).abs().max() < 0.015
    both = (fires[:, 0] & fires[:, 1]).double().mean()
    assert float(both) == pytest.approx(0.15**2, rel=0.2)
    assert coefficients[fires].min() >= 0.5 and coefficients[fires].max() <= 1.5
    torch.testing.assert_close(planted.directions.norm(dim=1), torch.ones(20))


def test_children_fire_only_with_their_parents():
    planted = Planted.hierarchical(4, 3, 12, 1.0, _generator())
    assert planted.parent.tolist() == [-1] * 4 + [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    _, coefficients = planted.draw(20_000, _generator())
    fires = (coefficients > 0).double()
    for child in range(4, 16):
        parent = int(planted.parent[child])
        assert not (fires[:, child] > fires[:, parent]).any()
        assert float(fires[:, child].sum() / fires[:, parent].sum()) == pytest.approx(0.2, abs=0.02)
    assert float(fires[:, :4].sum(dim=1).mean()) == pytest.approx(1, rel=0.03)


def test_recovery_is_one_for_the_truth_in_any_order_and_length():
    planted = Planted.flat(10, 8, 2, _generator())
    found = 3 * planted.directions.flip(0)
    assert planted.recovery(found) == pytest.approx(1, abs=1e-6)
    assert planted.recovery(-found) < 0.9
    turned = planted.directions.clone()
    turned[0] = 0
    others = planted.directions @ planted.directions.T
    expected = (9 + float(others[0, 1:].max())) / 10
    assert planted.recovery(turned) == pytest.approx(expected, abs=1e-6)


def test_absorption_counts_parents_that_a_child_silences():
    planted = Planted(torch.eye(3), torch.ones(3), torch.tensor([-1, 0, 0]))
    alone, with_first, with_second = [1.0, 0, 0], [1.0, 1, 0], [1.0, 0, 1]
    coefficients = torch.tensor([alone, alone, with_first, with_first, with_second, with_second])
    assert planted.absorption(torch.eye(3), coefficients, coefficients) == 0
    codes = coefficients.clone()
    codes[2, 0] = 0  # half of the samples with the first child
    assert planted.absorption(torch.eye(3), codes, coefficients) == pytest.approx((0.5 + 0) / 2)
    codes[1, 0] = 0  # it is silent as often without
    assert planted.absorption(torch.eye(3), codes, coefficients) == pytest.approx((0 - 0.5) / 2)
    flat = Planted(torch.eye(3), torch.ones(3), torch.full((3,), -1))
    assert math.isnan(flat.absorption(torch.eye(3), codes, coefficients))


RECOVERY = {
    "topk": ({}, 0.92),
    "batch_topk": ({}, 0.92),
    "matryoshka": ({"group_shares": (0.25, 0.75)}, 0.87),  # a flat dictionary has no order to find
    "ordered": ({}, 0.91),
    "relu": ({"target_l0": 6.0}, 0.93),  # at L0 3 it shrinks
    "jumprelu": ({"target_l0": 3.0}, 0.9),
    "gated": ({"target_l0": 3.0}, 0.93),
    "gba": ({"n_groups": 2, "lowest_frequency": 0.03}, 0.9),
}


@pytest.mark.parametrize("architecture", RECOVERY)
def test_a_flat_dictionary_is_recovered(architecture):
    settings, wanted = RECOVERY[architecture]
    planted = Planted.flat(48, 32, 3, torch_generator(0, "flat"))
    config = shaped_config(CONFIGS[architecture], settings, d_model=32, d_sae=48, k=3)
    untrained = build(config, torch_generator(0, "init"))
    assert planted.recovery(untrained.W_dec.detach()) < 0.55
    found = judge_on_planted(config, planted, n_steps=600, seed=0)
    assert found["recovery"] > wanted
    assert found["fve"] > 0.7
    assert found["dead_share"] < 0.1
    assert found["l0"] == pytest.approx(settings.get("target_l0", 3), rel=0.3)


@cache
def _absorption(architecture):
    planted = Planted.hierarchical(8, 4, 32, 1.5, torch_generator(0, "tree"))
    settings = {"group_shares": (0.2, 0.8)} if architecture == "matryoshka" else {}
    config = shaped_config(CONFIGS[architecture], settings, d_model=32, d_sae=40, k=2)
    return judge_on_planted(config, planted, n_steps=600, seed=0)["absorption"]


def test_topk_lets_children_absorb_their_parents():
    assert _absorption("topk") > 0.35


@pytest.mark.parametrize(("architecture", "share"), [("matryoshka", 0.4), ("ordered", 0.85)])
def test_nested_prefixes_absorb_less(architecture, share):
    assert _absorption(architecture) < share * _absorption("topk")


def test_batches_are_a_function_of_seed_and_epoch():
    planted = Planted.flat(8, 4, 2, torch_generator(0, "flat"))

    def first(seed, epoch):
        return next(PlantedBatches(planted, 3, 5, seed).epoch(epoch)).x

    assert first(0, 0).equal(first(0, 0))
    assert not first(0, 0).equal(first(0, 1)) and not first(0, 0).equal(first(1, 0))
