"""A small random language model, dictionaries over it, and proteins to score."""

import numpy as np
import pandas as pd
import pytest
import torch
from tests.plm.tiny_esm2 import D_MODEL, random_sequences, tiny_model

from protsae.encoding.run import Run
from protsae.fidelity.config import SequencesConfig
from protsae.fidelity.sequences import choose_sequences
from protsae.plm import PlmModel
from protsae.sae.base import SparseAutoencoder
from protsae.sae.config import ProtSaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

HOOK_POINT = "layers.1.resid_post"
RUN = Run("protsae", 7, HOOK_POINT, 3)
LENGTHS = [30, 41, 12, 25, 60, 33, 18, 22, 48, 27, 35, 20]


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> PlmModel:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def proteins() -> pd.DataFrame:
    """Twelve proteins, the even ones of the test split, two to a cluster."""
    n = len(LENGTHS)
    return pd.DataFrame(
        {
            "protein_id": [f"P{i:02d}" for i in range(n)],
            "cluster_id": [f"c{i // 4}" for i in range(n)],
            "split": ["test", "train"] * (n // 2),
            "sequence": random_sequences(LENGTHS),
        }
    )


@pytest.fixture(scope="session")
def sequences(proteins) -> pd.DataFrame:
    return choose_sequences(proteins, proteins["protein_id"], SequencesConfig(n_long=2))[0]


def stirred(sae: SparseAutoencoder) -> SparseAutoencoder:
    """Give a dictionary input statistics and biases that matter."""
    generator = torch.Generator().manual_seed(2)
    sae.set_input_statistics(torch.randn(D_MODEL, generator=generator), 40.0)
    with torch.no_grad():
        sae.b_dec.copy_(torch.randn(D_MODEL, generator=generator) * 0.2)
    return sae.eval()


@pytest.fixture(scope="session")
def guided() -> ProtSae:
    config = ProtSaeConfig(d_model=D_MODEL, d_sae=40, k=5, concept_ids=("GO:1", "GO:2", "GO:3"))
    sae = ProtSae(config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        sae.b_pred.fill_(2.0)
    return stirred(sae)


@pytest.fixture(scope="session")
def plain() -> TopKSae:
    return stirred(TopKSae(TopKConfig(d_model=D_MODEL, d_sae=32, k=4), torch.Generator().manual_seed(1)))


def column(table: pd.DataFrame, name: str) -> np.ndarray:
    return table[name].to_numpy(np.float64)
