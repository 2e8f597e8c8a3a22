"""Each architecture recovers a planted dictionary, and nested ones keep parents apart from their children."""

from functools import cache

import pytest

from protsae.core.seeding import torch_generator
from protsae.sae.planted import Planted
from protsae.sae.registry import build, unguided_config
from protsae.training.planted import PlantedBatches, judge_on_planted

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
    config = unguided_config(architecture, settings, d_model=32, d_sae=48, k=3)
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
    config = unguided_config(architecture, settings, d_model=32, d_sae=40, k=2)
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
