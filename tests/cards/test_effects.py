"""What latents do to the model's output, against patched runs of fair-esm's own modules."""

import numpy as np
import pandas as pd
import pytest
import torch
from tests.fidelity.conftest import LENGTHS
from tests.plm.tiny_esm2 import D_MODEL, random_sequences, tiny_model

from protsae.cards.config import EffectsConfig
from protsae.cards.effects import directions, measure_effects, named_changes, seen_by_head
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.plm.forward import LOGITS, Esm2Forward
from protsae.plm.patching import Patch
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.config import TopKConfig
from protsae.sae.topk import TopKSae

D_SAE = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def sequences():
    return {f"P{i}": text for i, text in enumerate(random_sequences(LENGTHS))}


def checkpoint_of(folder, model, hook_point, sha256=None):
    sae = TopKSae(TopKConfig(d_model=D_MODEL, d_sae=D_SAE, k=3), torch.Generator().manual_seed(0))
    sae.set_input_statistics(torch.randn(D_MODEL, generator=torch.Generator().manual_seed(1)), 30.0)
    path = folder / "sae.safetensors"
    save_sae(sae, path, {"hook_point": hook_point, "model_sha256": sha256 or model.sha256, "seed": 0})
    return SaeCheckpoint(path)


STRENGTH = np.where(np.arange(D_SAE) == 5, np.nan, 3.0 + np.arange(D_SAE))  # latent 5 is dead
WINDOWS = pd.DataFrame(
    {
        "latent": [0, 0, 1, 2],
        "quantile": [1.0, 1.0, 1.0, 0.889],
        "rank": [1, 2, 1, 1],
        "protein_id": ["P0", "P1", "P1", "P3"],
        "peak_index": [4, 20, 11, 3],
        "window_start": [2, 18, 9, 1],
        "window_acts": [
            np.array(a, np.float32) for a in ([0, 1, 2, 0, 0], [0, 0, 3, 1, 0], [1, 0, 1, 0, 0], [1])
        ],
    }
)
SITES = {0: {"P0": [3, 4], "P1": [20, 21]}, 1: {"P1": [9, 11]}}


def log_probabilities(logits, model):
    return logits[:, [model.module.alphabet.get_idx(a) for a in AMINO_ACIDS]].log_softmax(dim=1)


@pytest.mark.parametrize("hook_point", ["layers.0.resid_post", "layers.1.mlp_out", "layers.1.resid_post"])
def test_causal_effect_is_that_of_a_patched_run(tmp_path, model, sequences, hook_point):
    checkpoint = checkpoint_of(tmp_path, model, hook_point)
    found = measure_effects(model, checkpoint, sequences, STRENGTH, WINDOWS, [0, 1, 2], EffectsConfig())
    assert found["effect"].tolist()[:3] == ["causal", "causal", "direct"] and found["effect"][5] == ""
    assert found["n_sites"].tolist()[:3] == [4, 2, 0]
    sae = checkpoint.load()
    for latent, of_proteins in SITES.items():
        push = (sae.W_dec[latent] * STRENGTH[latent] / sae.input_scale).detach()
        log_change, change = [], []
        for name, sites in of_proteins.items():
            rows = torch.zeros(len(sequences[name]), dtype=torch.bool)
            rows[sites] = True
            forward = Esm2Forward(model, [])
            patch = Patch(lambda x, push=push: x + push, rows)
            clean, after = (
                log_probabilities(forward.run([sequences[name]], patches, logits=True)[LOGITS], model)[rows]
                for patches in (None, {hook_point: patch})
            )
            log_change.append(after - clean)
            change.append(after.exp() - clean.exp())
        expected, rise = (torch.cat(parts).mean(dim=0).numpy() for parts in (log_change, change))
        np.testing.assert_allclose(found["output_change"][latent], expected, atol=2e-5)
        best = np.argsort(-expected)[:3]
        assert found["output_score"][latent] == pytest.approx(rise[best].sum(), abs=2e-5)


def test_direct_path_is_the_causal_effect_where_no_layer_is_left(tmp_path, model, sequences):
    last = f"layers.{model.n_layers - 1}.resid_post"
    checkpoint = checkpoint_of(tmp_path, model, last)
    one = {"P4": sequences["P4"]}
    config = EffectsConfig(n_residues=1000)
    everywhere = WINDOWS.iloc[:1].assign(
        protein_id="P4", window_start=0, window_acts=[np.ones(len(one["P4"]), np.float32)]
    )
    found = measure_effects(model, checkpoint, one, STRENGTH, everywhere, [0], config)
    np.testing.assert_allclose(found["output_change"][0], found["direct_change"][0], atol=1e-5)


def test_dead_latents_have_no_effect_and_all_may_be_dead(tmp_path, model, sequences):
    checkpoint = checkpoint_of(tmp_path, model, "layers.0.resid_post")
    found = measure_effects(
        model, checkpoint, sequences, np.full(D_SAE, np.nan), WINDOWS.iloc[:0], [0], EffectsConfig()
    )
    assert len(found) == D_SAE and (found["effect"] == "").all() and found["output_score"].isna().all()


def test_long_proteins_are_cut_around_the_peak(tmp_path, model, sequences):
    checkpoint = checkpoint_of(tmp_path, model, "layers.0.resid_post")
    config = EffectsConfig(max_residues=10)
    found = measure_effects(model, checkpoint, sequences, STRENGTH, WINDOWS, [0, 1], config)
    cut = {"P0": sequences["P0"][:10]}
    window = WINDOWS.iloc[:1].assign(peak_index=4)
    alone = measure_effects(model, checkpoint, cut, STRENGTH, window, [0], config)
    of_first = measure_effects(model, checkpoint, sequences, STRENGTH, window, [0], config)
    np.testing.assert_allclose(alone["output_change"][0], of_first["output_change"][0], atol=1e-6)
    assert found["n_sites"][0] == 4


def test_pushes_are_the_decoders_directions_in_raw_units(tmp_path, model):
    sae = checkpoint_of(tmp_path, model, "layers.0.resid_post").load()
    found = directions(sae, np.array([1, 7]), np.array([2.0, 0.5]))
    expected = sae.W_dec[[1, 7]] * torch.tensor([[2.0], [0.5]]) / sae.input_scale
    torch.testing.assert_close(found, expected.detach(), atol=1e-5, rtol=1e-4)


def test_directions_that_the_head_cannot_see_change_nothing(model):
    seen = seen_by_head(model, torch.eye(D_MODEL))
    assert seen.sum() == pytest.approx(min(19, D_MODEL - 1), abs=1e-6)  # the rank
    constant = torch.ones(1, D_MODEL)  # the norm takes it off
    assert seen_by_head(model, constant)[0] == pytest.approx(0, abs=1e-9)


def test_another_language_model_is_refused(tmp_path, model, sequences):
    checkpoint = checkpoint_of(tmp_path, model, "layers.0.resid_post", "0" * 64)
    with pytest.raises(InputError, match="checksum 000000000000"):
        measure_effects(model, checkpoint, sequences, STRENGTH, WINDOWS, [0], EffectsConfig())


def test_changes_are_named_with_their_signs():
    change = np.zeros(20)
    change[[1, 18, 5]] = 1.2, 0.4, -0.31
    assert named_changes(change, True) == "C:+1.20 W:+0.40"
    assert named_changes(change, False) == "G:-0.31"
