"""Subspaces of classes taken out of the activations."""

import numpy as np
import pandas as pd
import pytest
import torch
from tests.cards.test_effects import D_SAE, checkpoint_of
from tests.fidelity.conftest import LENGTHS
from tests.plm.tiny_esm2 import random_sequences, tiny_model

from protsae.cards.ablation import COLUMNS, basis, class_losses, judge_classes
from protsae.fidelity.config import FidelityMetricsConfig, PassesConfig, SequencesConfig
from protsae.fidelity.sequences import choose_sequences
from protsae.fidelity.splicing import Condition, masked_losses

HOOK = "layers.1.resid_post"
CARDS = pd.DataFrame(
    {
        "dense_class": ["residue", "residue", "position"] + [""] * (D_SAE - 3),
        "effect": ["direct"] * (D_SAE - 1) + [""],
    }
)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    model = tiny_model(tmp_path_factory.mktemp("model"))
    proteins = pd.DataFrame(
        {
            "protein_id": [f"P{i:02d}" for i in range(len(LENGTHS))],
            "cluster_id": [f"c{i // 2}" for i in range(len(LENGTHS))],
            "split": "test",
            "sequence": random_sequences(LENGTHS),
        }
    )
    sequences = choose_sequences(proteins, proteins["protein_id"], SequencesConfig(n_long=0))[0]
    return model, checkpoint_of(tmp_path_factory.mktemp("sae"), model, HOOK), sequences


def test_basis_is_orthonormal_and_spans_the_directions():
    directions = torch.tensor([[1.0, 1, 0], [2, 2, 0], [0, 1, 1]])
    found = basis(directions)
    assert found.shape == (3, 2)
    torch.testing.assert_close(found.T @ found, torch.eye(2))
    torch.testing.assert_close(directions @ found @ found.T, directions)


def test_losses_are_those_of_activations_without_the_class(given):
    model, checkpoint, sequences = given
    losses, classes = class_losses(model, checkpoint, CARDS, sequences, PassesConfig(), 0)
    assert classes.values.tolist() == [["position", 1, 1], ["residue", 2, 2], ["all", 3, 3]]
    sae = checkpoint.load()
    direction, mean = sae.W_dec[2].detach(), sae.input_mean

    def without(x):
        return {"one": x - torch.outer((x - mean) @ direction, direction) / direction.square().sum()}

    expected = masked_losses(model, HOOK, sequences, [Condition("one", "one")], without, PassesConfig())
    np.testing.assert_allclose(losses["without_position"], expected["one"], rtol=1e-5)
    assert (losses["without_residue"] != losses["clean"]).any()


def test_increases_are_means_over_masked_residues(given):
    model, checkpoint, sequences = given
    losses, classes = class_losses(model, checkpoint, CARDS, sequences, PassesConfig(), 0)
    found = judge_classes(losses, classes, FidelityMetricsConfig(n_resamples=20)).set_index("dense_class")
    assert [found.index.name, *found] == list(COLUMNS)
    sums = losses[["n_masked", "clean", "without_all", "control_all"]].sum()
    assert found.loc["all", "n_masked"] == sums["n_masked"]
    increase = (sums["without_all"] - sums["clean"]) / sums["n_masked"]
    assert found.loc["all", "increase"] == pytest.approx(increase)
    assert found.loc["all", "difference"] == pytest.approx(increase - found.loc["all", "control_increase"])
    assert found.loc["all", "increase_low"] <= increase <= found.loc["all", "increase_high"]


def test_dictionary_without_dense_latents_has_no_rows(given):
    model, checkpoint, sequences = given
    found = class_losses(model, checkpoint, CARDS.assign(dense_class=""), sequences, PassesConfig(), 0)
    assert judge_classes(*found, FidelityMetricsConfig(n_resamples=20)).empty
