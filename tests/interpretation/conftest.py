"""Toy proteins with planted sites, and the task that methods are judged on."""

import pytest
from tests.interpretation.toy_proteins import ToyProteins

from protsae.interpretation.align import AlignmentTask
from protsae.interpretation.config import ChoiceConfig, KSparseConfig


@pytest.fixture(scope="session")
def toy():
    return ToyProteins()


@pytest.fixture(scope="session")
def task(toy):
    choice = ChoiceConfig(n_latents=3, n_resamples=100, residues_per_batch=64)
    sizes = KSparseConfig(sizes=(1, 2))
    return AlignmentTask.of(toy.proteins, toy.tables, toy.store.protein_ids, choice, sizes)
