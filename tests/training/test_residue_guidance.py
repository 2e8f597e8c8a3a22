"""Residue labels guide residue by residue: a concept that sits in one residue of every protein is found."""

from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tests.training.fits import fit_protsae

from protsae.activations.sampler import ResidueSampler
from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.core.errors import InputError
from protsae.core.seeding import derive_seed
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.config import GuidanceConfig
from protsae.sae.guidance import firing_thresholds
from protsae.training.config import TrainerConfig
from protsae.training.plan import SizeAndSeed, Source

CONFIG = TrainerConfig(epochs=15, residues_per_protein=40, proteins_per_batch=8, learning_rate=1e-2)
LENGTH, N_TRAIN, N_VALIDATION = 40, 40, 20
AXIOMS = pd.DataFrame([("NF1", 0, -1, 2)], columns=["normal_form", "c", "relation", "d"])


@pytest.fixture(scope="module")
def planted(toy):
    """Concept 0 is of proteins; concept 1 is one residue of every protein, and two of some."""
    rng = np.random.default_rng(7)
    where = np.zeros((len(toy.ids), LENGTH), dtype=bool)
    for row in where:
        row[rng.choice(LENGTH, size=rng.integers(1, 3), replace=False)] = True
    site = rng.normal(size=toy.atoms.shape[1])
    site *= 1.5 / np.linalg.norm(site)
    x = [(block + row[:, None] * site).astype(np.float32) for block, row in zip(toy.x, where, strict=True)]
    return where, x


@pytest.fixture
def source(toy, planted):
    with_sites = copy(toy)
    with_sites.x = planted[1]
    split = ["train"] * N_TRAIN + ["validation"] * N_VALIDATION
    return Source(with_sites.store(), "h", pd.DataFrame({"protein_id": toy.ids, "split": split}))


@pytest.fixture
def tables(toy, planted):
    where, _ = planted
    positives = [(toy.ids[p], 0) for p in np.flatnonzero(toy.labels[:, 0])]
    spans = [(toy.ids[p], 1, n, i, i + 1) for n, (p, i) in enumerate(zip(*where.nonzero(), strict=True))]
    return LabelTables(
        pd.DataFrame(
            {
                "concept_idx": [0, 1],
                "concept_id": ["GO:1", "site"],
                "aspect": ["BPO", "site"],
                "level": ["protein", "residue"],
            }
        ),
        pd.DataFrame(positives + [(p, 1) for p in toy.ids], columns=["protein_id", "concept_idx"]),
        pd.DataFrame([(p, a) for p in toy.ids for a in ("BPO", "site")], columns=["protein_id", "aspect"]),
        pd.DataFrame(spans, columns=list(RESIDUE_LABEL_COLUMNS)),
    )


def _fit(source, tables, config=CONFIG, seed=0):
    return fit_protsae(
        source, SizeAndSeed(64, 3, seed), config, GuidanceConfig(), tables=tables, axioms=AXIOMS
    )


@torch.no_grad()
def _site_auc(sae, planted):
    where, x = planted
    logits = sae.predictor_logits(torch.from_numpy(np.concatenate(x[N_TRAIN:])))[:, 1].numpy()
    return roc_auc_score(where[N_TRAIN:].reshape(-1), logits)


def test_residue_labels_find_residues_protein_labels_do_not(source, tables, planted):
    (sae, metadata), log = _fit(source, tables)
    assert _site_auc(sae, planted) > 0.95
    summary = metadata["training"]
    assert summary["validation/auc/residue_predictor"] == pytest.approx(_site_auc(sae, planted), rel=1e-6)
    assert summary["validation/auc/residue_latent"] > 0.9
    assert summary["validation/auc/predictor"] > 0.9  # the protein-level concept next to it
    assert {"average_precision/residue_predictor", "loss/residue_annotation"} <= set(log["term"])

    where, x = planted
    with torch.no_grad():
        gate = sae.gate(torch.from_numpy(np.concatenate(x)))
    assert float(gate[:, 1].double().mean()) == pytest.approx(where.mean(), abs=0.015)
    assert where.mean() < 0.045

    whole = replace(tables, concepts=tables.concepts.assign(level="protein"))
    (blind, _), _ = _fit(source, whole)
    assert _site_auc(blind, planted) < 0.85


def test_checkpoint_and_rates_know_the_levels(source, tables, planted, tmp_path):
    (sae, metadata), _ = _fit(source, tables, CONFIG.model_copy(update={"epochs": 1}))
    save_sae(sae, tmp_path / "sae", metadata)
    assert SaeCheckpoint(tmp_path / "sae").config["residue_level"] == ["site"]
    n_sites = int(planted[0][:N_TRAIN].sum())
    assert float(sae.concept_rate[1]) == pytest.approx((n_sites + 1) / (N_TRAIN * LENGTH + 2), rel=1e-6)


def test_residue_level_gates_are_set_on_the_weights_that_are_kept(source, tables, toy):
    """Their thresholds are the means over the training batches, not those of some steps before."""
    (sae, metadata), _ = _fit(source, tables, CONFIG.model_copy(update={"epochs": 3}))
    seed = derive_seed(0, "sampler", "train")
    sampler = ResidueSampler(
        source.store, "h", toy.ids[:N_TRAIN], residues_per_protein=40, proteins_per_batch=8, seed=seed
    )
    with torch.no_grad():
        wanted = [
            firing_thresholds(logits, sae.concept_rate, torch.ones_like(logits).bool())
            for batch in sampler.epoch(metadata["training"]["chosen_epoch"])
            for logits in [sae.predictor_logits(batch.x)]
        ]
    means = torch.stack(wanted).mean(dim=0)
    torch.testing.assert_close(sae.gate_logit[1], means[1])
    assert abs(sae.gate_logit[0] - means[0]) > 1e-3, "those of whole proteins follow the steps alone"


def test_residue_level_concepts_train_alone_by_their_own_precision(source, tables, planted):
    alone = LabelTables(
        tables.concepts.iloc[1:].assign(concept_idx=0),
        tables.protein_labels.query("concept_idx == 1").assign(concept_idx=0),
        tables.labelled_aspects,
        tables.residue_labels.assign(concept_idx=0),
    )
    (sae, metadata), log = _fit(source, alone, CONFIG.model_copy(update={"epochs": 8, "fve_tolerance": 1.0}))
    chosen = log[(log["term"] == "average_precision/residue_predictor")].set_index("epoch")["value"]
    assert chosen[metadata["training"]["chosen_epoch"]] == chosen.max()
    where, x = planted
    with torch.no_grad():
        logits = sae.predictor_logits(torch.from_numpy(np.concatenate(x[N_TRAIN:])))[:, 0].numpy()
    assert roc_auc_score(where[N_TRAIN:].reshape(-1), logits) > 0.95


def test_labels_of_longer_sequences_than_the_stored_ones_are_refused(source, tables, toy):
    beyond = pd.DataFrame([(toy.ids[3], 1, 0, 39, 41)], columns=list(RESIDUE_LABEL_COLUMNS))
    with pytest.raises(InputError, match="39 to 41 of P003, which has 40 residues"):
        _fit(source, replace(tables, residue_labels=beyond))
