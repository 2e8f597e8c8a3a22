"""Starting ProtSAE's free latents from a trained dictionary."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

from protsae.activations.sampler import ResidueBatch
from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.core.errors import InputError
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.config import CONFIGS, GuidanceConfig, ProtSaeConfig, shaped_config
from protsae.sae.protsae import ProtSae
from protsae.sae.registry import build
from protsae.training.config import TrainerConfig
from protsae.training.fit import fit
from protsae.training.plan import Knowledge, SizeAndSeed, Source, TrainingPlan
from protsae.training.warm_start import load_donor, start_from

HOOK_POINT = "layers.0.resid_post"
D_MODEL, D_SAE, K = 5, 9, 3


def _generator(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def donor():
    sae = build(shaped_config(CONFIGS["topk"], {}, d_model=D_MODEL, d_sae=D_SAE, k=K), _generator(0)).double()
    with torch.no_grad():
        sae.b_enc.copy_(torch.randn(D_SAE, generator=_generator(1)))
        sae.b_dec.copy_(torch.randn(D_MODEL, generator=_generator(2)))
    sae.set_input_statistics(torch.arange(D_MODEL), 7.0)
    return sae


def _protsae(n_free, n_defined=2):
    ids = tuple(f"GO:{i}" for i in range(n_defined))
    config = ProtSaeConfig(
        d_model=D_MODEL, d_sae=n_defined + n_free, k=K, concept_ids=ids, n_zero=0, n_relations=0
    )
    sae = ProtSae(config, _generator(3)).double()
    sae.set_input_statistics(torch.ones(D_MODEL), 3.0)
    return sae


def _batches(n=40):
    x = 2 * torch.randn(n, D_MODEL, generator=_generator(4), dtype=torch.float64) + 1
    return [
        ResidueBatch(x, torch.zeros(n, dtype=torch.int64), torch.zeros(1, dtype=torch.int64), torch.arange(n))
    ]


@torch.no_grad()
def test_free_latents_do_in_raw_units_what_the_donor_did(donor):
    sae, batches = _protsae(n_free=D_SAE), _batches()
    assert start_from(sae, donor, batches) == D_SAE
    x = batches[0].x
    free = sae.codes(x).free
    # Of the free latents alone: the defined ones are the predictor's.
    scaled = free.dense(D_SAE) @ sae.W_dec[2:] + sae.b_dec
    torch.testing.assert_close(scaled / sae.input_scale + sae.input_mean, donor(x))
    assert torch.equal(free.dense(D_SAE) > 0, donor.encode(x) > 0)


@torch.no_grad()
def test_the_latents_of_most_energy_are_taken(donor):
    batches = _batches()
    energy = donor.encode(batches[0].x).square().sum(dim=0)
    best = sorted(energy.argsort(descending=True)[:4].tolist())
    sae = _protsae(n_free=4)
    assert start_from(sae, donor, batches) == 4
    assert torch.equal(sae.W_dec[2:], donor.W_dec[best])


@torch.no_grad()
def test_free_latents_beyond_the_donors_stay_random(donor):
    sae, untouched = _protsae(n_free=D_SAE + 3), _protsae(n_free=D_SAE + 3)
    assert start_from(sae, donor, _batches()) == D_SAE
    assert torch.equal(sae.W_dec[2 + D_SAE :], untouched.W_dec[2 + D_SAE :])
    assert torch.equal(sae.W_free[:, D_SAE:], untouched.W_free[:, D_SAE:])
    assert torch.equal(sae.W_dec[:2], untouched.W_dec[:2])


def test_a_donor_of_other_activations_or_of_another_kind_is_refused(donor, tmp_path):
    path, about = (
        tmp_path / "donor.safetensors",
        {"hook_point": HOOK_POINT, "model": "a", "model_sha256": "ab"},
    )
    save_sae(donor, path, about)
    assert torch.equal(load_donor(path, {**about, "seed": 7}, D_MODEL).W_dec, donor.W_dec)
    with pytest.raises(
        InputError, match=r"on layers\.0\.resid_post of a \(sha256 ab\) with d_model 5, the training that"
    ):
        load_donor(path, {**about, "hook_point": "layers.1.resid_post"}, D_MODEL)
    with pytest.raises(InputError, match=r"is on layers\.0\.resid_post of a \(sha256 cd\)"):
        load_donor(path, {**about, "model_sha256": "cd"}, D_MODEL)
    with pytest.raises(InputError, match="with d_model 6: train one on the same"):
        load_donor(path, about, D_MODEL + 1)
    save_sae(_protsae(4), path, about)
    with pytest.raises(InputError, match="architecture 'protsae': a warm start takes one of"):
        load_donor(path, about, D_MODEL)


def test_training_starts_there_and_the_fingerprint_says_so(toy, tmp_path):
    split = ["train"] * 40 + ["validation"] * 20
    source = Source(toy.store(), HOOK_POINT, pd.DataFrame({"protein_id": toy.ids, "split": split}))
    trainer = TrainerConfig(epochs=4, residues_per_protein=16, proteins_per_batch=10)
    path, longer = tmp_path / "topk.safetensors", trainer.model_copy(update={"epochs": 20})
    TrainingPlan("topk", source, SizeAndSeed(16, 3, 0), longer).run(path)
    concepts = pd.DataFrame(
        {"concept_idx": [0, 1], "concept_id": ["GO:1", "GO:2"], "aspect": "BPO", "level": "protein"}
    )
    rows = [(toy.ids[p], c) for p, c in zip(*toy.labels.nonzero(), strict=True)]
    labels = pd.DataFrame(rows, columns=["protein_id", "concept_idx"])
    labelled = pd.DataFrame({"protein_id": toy.ids, "aspect": "BPO"})
    no_spans = pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS))
    axioms = pd.DataFrame(columns=["normal_form", "c", "relation", "d"])
    knowledge = Knowledge(LabelTables(concepts, labels, labelled, no_spans), axioms)
    settings = {"guidance": GuidanceConfig()}
    short = trainer.model_copy(update={"epochs": 1, "learning_rate": 1e-9})
    cold = TrainingPlan("protsae", source, SizeAndSeed(18, 3, 0), short, settings, knowledge)
    warm = replace(cold, warm_start=path)
    assert warm.fingerprint != cold.fingerprint
    (sae, metadata), _ = fit(warm)
    torch.testing.assert_close(sae.W_dec[2:], SaeCheckpoint(path).load().W_dec, atol=1e-5, rtol=0)
    assert metadata["training"]["validation/fve"] > fit(cold)[0][1]["training"]["validation/fve"] + 0.15
    with pytest.raises(InputError, match="'topk' does not start from another dictionary"):
        fit(TrainingPlan("topk", source, SizeAndSeed(16, 3, 0), trainer, warm_start=path))
