"""Toy proteins and a small padded reference."""

import numpy as np
import pandas as pd
import pytest

from protsae.core.letters import AMINO_ACIDS
from protsae.pretraining.config import PretrainerConfig, ShapeConfig
from protsae.pretraining.plan import PretrainingPlan, plan_pretraining


@pytest.fixture
def shape() -> ShapeConfig:
    return ShapeConfig(n_layers=2, d_model=32, n_heads=4)


@pytest.fixture
def small() -> PretrainerConfig:
    """A training of six steps in well under a second."""
    return PretrainerConfig(
        steps=6, tokens_per_batch=200, max_residues=40, validate_every=2, save_every=1, device="cpu"
    )


def planted(n: int, seed: int) -> list[str]:
    """Return sequences in which nine of ten residues are followed by the next of the alphabet."""
    rng = np.random.default_rng(seed)
    steps = np.where(rng.random((n, 30)) < 0.9, 1, rng.integers(20, size=(n, 30)))
    return ["".join(AMINO_ACIDS[i] for i in row) for row in steps.cumsum(axis=1) % 20]


def random_proteins(n: int, seed: int, longest: int = 90) -> list[str]:
    """Return sequences of random residues and lengths."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(AMINO_ACIDS), rng.integers(1, longest))) for _ in range(n)]


def protein_table(train: list[str], validation: list[str], test: list[str]) -> pd.DataFrame:
    """Return a `proteins` table."""
    rows = [
        (f"{split}{i:03d}", sequence, split)
        for split, sequences in (("train", train), ("validation", validation), ("test", test))
        for i, sequence in enumerate(sequences)
    ]
    return pd.DataFrame(rows, columns=["protein_id", "sequence", "split"])


def toy_plan() -> PretrainingPlan:
    """Return a training that saves its state only when it is told to end."""
    config = PretrainerConfig(
        steps=6, tokens_per_batch=200, max_residues=40, validate_every=2, save_every=100, device="cpu"
    )
    table = protein_table(random_proteins(20, 0), random_proteins(6, 1), random_proteins(6, 2))
    return plan_pretraining(table, ShapeConfig(n_layers=2, d_model=32, n_heads=4), config, seed=0)
