"""A world with planted sites, and what its methods are judged on."""

import pytest
from tests.interpretation.world import World

from protsae.interpretation.align import AlignmentTask
from protsae.interpretation.config import ChoiceConfig, KSparseConfig


@pytest.fixture(scope="session")
def world():
    return World()


@pytest.fixture(scope="session")
def task(world):
    choice = ChoiceConfig(n_latents=3, n_resamples=100, residues_per_batch=64)
    sizes = KSparseConfig(sizes=(1, 2))
    return AlignmentTask.of(world.proteins, world.tables, world.store.protein_ids, choice, sizes)
