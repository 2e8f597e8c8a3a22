"""A world with planted sites, and what its methods are judged on."""

import pytest
from tests.alignment.world import World

from protsae.alignment.config import ChoiceConfig, KSparseConfig
from protsae.alignment.methods import bench_of


@pytest.fixture(scope="session")
def world():
    return World()


@pytest.fixture(scope="session")
def bench(world):
    choice = ChoiceConfig(n_latents=3, n_resamples=100, residues_per_batch=64)
    return bench_of(world.proteins, world.tables, world.store, choice, KSparseConfig(sizes=(1, 2)))
