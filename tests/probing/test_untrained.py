"""Neurons and random directions pooled over residues, against loops."""

import math

import numpy as np
import pytest
from tests.memory_store import MemoryStore

from protsae.probing.baselines import unit_directions
from protsae.probing.config import ScoringConfig
from protsae.probing.untrained import pool_untrained

HOOK = "final_norm"


@pytest.mark.parametrize(
    ("pooling", "columns"), [("max", {"max"}), ("top", {"top"}), ("chosen", {"top", "max"})]
)
def test_both_signs_are_pooled_protein_by_protein(pooling, columns):
    rng = np.random.default_rng(0)
    blocks = {name: rng.normal(size=(n, 4)).astype(np.float32) for name, n in {"b": 25, "a": 7}.items()}
    config = ScoringConfig(pooling=pooling, n_directions=6, seed=3)
    found = pool_untrained(MemoryStore(blocks, HOOK), HOOK, list(blocks), config).set_index("protein_id")
    assert set(found.columns) == {f"{name}_{p}" for name in ("neurons", "random_directions") for p in columns}
    directions = unit_directions(4, 6, 3).numpy()
    for name, block in blocks.items():
        for latents, values in {"neurons": block, "random_directions": block @ directions}.items():
            for p in columns:
                n = 1 if p == "max" else math.ceil(len(block) / 10)
                signed = [sign * column for sign in (1, -1) for column in values.T]
                expected = [sum(sorted(column)[-n:]) / n for column in signed]
                np.testing.assert_allclose(found.loc[name, f"{latents}_{p}"], expected, atol=1e-6)


def test_means_alone_need_no_activations():
    assert pool_untrained(None, HOOK, ["a"], ScoringConfig()).empty
