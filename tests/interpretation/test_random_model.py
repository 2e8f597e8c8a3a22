"""A randomly initialised language model, and a dictionary of its activations."""

import numpy as np
import pandas as pd
import pytest
import torch
from tests.conftest import DEMO

from protsae.interpretation.config import BaselineConfig
from protsae.interpretation.random_model import extract_into, train_dictionary
from protsae.plm import load_plm
from protsae.plm.forward import Esm2Forward
from protsae.probing.random_plm import random_model

HOOK = "layers.0.resid_post"
SEQUENCES = {"B": "GGC", "A": "MKTAYIAKQR", "C": "WWHHKKRRDDEEMKTAYIAKQR"}


@pytest.fixture(scope="module")
def model():
    return load_plm(DEMO / "esm2_mini.safetensors")


@pytest.fixture(scope="module")
def store(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("random") / "activations"
    return extract_into(folder, random_model(model, 3), HOOK, SEQUENCES)


def test_activations_are_those_of_random_weights(store, model):
    found = dict(store.iter_proteins(HOOK))
    assert {name: len(block) for name, block in found.items()} == {"A": 10, "B": 3, "C": 22}
    for weights, agrees in ((random_model(model, 3), True), (random_model(model, 4), False), (model, False)):
        expected = Esm2Forward(weights, [HOOK]).run(["GGC"])[HOOK].numpy()
        assert np.allclose(found["B"], expected, atol=1e-4) == agrees
    assert 0.01 < found["A"].std() < 0.1


def test_a_dictionary_is_trained_on_training_proteins(store):
    proteins = pd.DataFrame({"protein_id": ["A", "B", "C"], "split": ["train", "validation", "train"]})
    config = BaselineConfig(n_directions=32, k=3, epochs=30)
    sae = train_dictionary(store, HOOK, proteins, config)
    training = np.concatenate([block for name, block in store.iter_proteins(HOOK, ["A", "C"])])
    torch.testing.assert_close(sae.input_mean, torch.from_numpy(training.mean(axis=0)), atol=1e-6, rtol=1e-4)
    x = torch.from_numpy(training)
    with torch.no_grad():
        left = (sae(x) - x).square().sum() / (x - x.mean(dim=0)).square().sum()
    assert left < 0.5
    assert (sae.config.d_sae, sae.config.k) == (32, 3)
