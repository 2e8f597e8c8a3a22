"""A validation pass against one big computation, and against hand-placed balls."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, ResidueLabels
from protsae.sae.axioms import AxiomIndices
from protsae.sae.config import GuidanceConfig, ProtSaeConfig
from protsae.sae.protsae import ProtSae
from protsae.training.data import ConceptAxioms, Labels, Split
from protsae.training.validation import axiom_metrics, validate_guided


@pytest.fixture
def sae():
    config = ProtSaeConfig(d_model=24, d_sae=40, k=5, concept_ids=("GO:1", "GO:2"), n_zero=1)
    module = ProtSae(config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        module.W_pred.mul_(40)
    return module


def test_equals_one_computation_over_all_residues(toy, batches, sae):
    proteins = range(20, 60)
    truth = toy.labels[20:60]
    labelled = np.ones_like(truth)
    labelled[:7, 1] = False
    labels = Labels(torch.from_numpy(truth).float(), torch.from_numpy(labelled))
    values = validate_guided(sae, Split(toy.ids[20:60], batches(proteins, 7), labels), None)

    x = torch.from_numpy(np.concatenate([toy.x[i] for i in proteins]))
    with torch.no_grad():
        codes, logits = sae.codes(x), sae.predictor_logits(x)
        residual = (sae.decode(codes.latent_acts) - x).double().square().sum()
    z, lift = codes.latent_acts, codes.latent_acts[:, :2] - codes.drive
    energy = z.double().square().sum(dim=0)  # decoder rows are unit
    pooled = logits.reshape(40, 40, 2).mean(dim=1).numpy()
    chosen = [(c, labelled[:, c]) for c in range(2)]
    expected = {
        "fve": 1 - float(residual / (x - x.mean(dim=0)).double().square().sum()),
        "l0": float((z > 0).sum()) / len(x),
        "dead_share": float((energy == 0).double().mean()),
        "gate_rate": float(codes.gate.double().mean()),
        "mean_lift": float(lift.sum() / codes.gate.sum()),
        "defined_participation": float(energy[:2].sum() / energy.sum()),
        "average_precision/predictor": np.mean(
            [average_precision_score(truth[rows, c], pooled[rows, c]) for c, rows in chosen]
        ),
        "auc/predictor": np.mean([roc_auc_score(truth[rows, c], pooled[rows, c]) for c, rows in chosen]),
    }
    for term, value in expected.items():
        assert values[term] == pytest.approx(value, rel=1e-5), term
    assert 0 < values["gate_rate"] < 1
    assert values["mean_lift"] > 0


@pytest.fixture
def residues(toy):
    """Concept 1 sits in some residues of every third protein of 20 to 59; three of these are not labelled."""
    rng = np.random.default_rng(5)
    truth = (rng.random((40, 40)) < 0.2) & (np.arange(40) % 3 == 0)[:, None]
    spans = [(toy.ids[20 + p], 1, 0, i, i + 1) for p, i in zip(*truth.nonzero(), strict=True)]
    table = pd.DataFrame(spans, columns=list(RESIDUE_LABEL_COLUMNS))
    index = ResidueLabels.of(table, toy.ids[20:60], dict.fromkeys(toy.ids, 40))
    labelled = np.ones((40, 2), dtype=bool)
    labelled[:7, 1] = False
    labels = np.stack([toy.labels[20:60, 0], truth.any(axis=1)], axis=1)
    found = Labels(
        torch.from_numpy(labels).float(), torch.from_numpy(labelled), index, torch.tensor([False, True])
    )
    return found, truth.reshape(-1), np.repeat(labelled[:, 1], 40)


@pytest.mark.parametrize("headed", [True, False])
def test_scores_use_all_residues_if_training_does(toy, batches, sae, headed):
    """Batches hold 5 residues of each protein; the score is that of the means given with them."""
    if headed:
        guidance = GuidanceConfig(protein_head=True)
        sae = ProtSae(sae.config.model_copy(update={"guidance": guidance}), torch.Generator().manual_seed(0))
        with torch.no_grad():
            sae.W_protein.normal_(generator=torch.Generator().manual_seed(1))
    proteins, truth = range(20, 60), toy.labels[20:60]
    labels = Labels(torch.from_numpy(truth).float(), torch.ones(40, 2, dtype=torch.bool))
    means = torch.from_numpy(np.stack([toy.x[i].mean(axis=0) for i in proteins]))
    sampled = batches(proteins, 7, residues=5)
    values = validate_guided(sae, Split(toy.ids[20:60], sampled, labels, means), None)
    with torch.no_grad():
        scaled = sae.scale_input(means) @ sae.whitening
        weights = sae.W_protein + sae.W_pred if headed else sae.W_pred
        scores = (scaled @ weights.T).numpy()
    expected = np.mean([roc_auc_score(truth[:, c], scores[:, c]) for c in range(2)])
    assert values["auc/predictor"] == pytest.approx(expected, abs=1e-9)
    without = validate_guided(sae, Split(toy.ids[20:60], sampled, labels), None)
    assert without["auc/predictor"] != values["auc/predictor"]


def test_residue_metrics_equal_one_computation_over_all_residues(toy, batches, sae, residues):
    labels, truth, known = residues
    split = Split(toy.ids[20:60], batches(range(20, 60), 7), labels)
    values = validate_guided(sae, split, None)
    x = torch.from_numpy(np.concatenate(toy.x[20:60]))
    with torch.no_grad():
        logits, acts = sae.predictor_logits(x).double().numpy(), sae.encode(x).numpy()
    losses = np.logaddexp(0, np.where(truth, -1, 1) * logits[:, 1])
    pooled = logits.reshape(40, 40, 2).mean(axis=1)[:, 0]
    whole = labels.labels[:, 0].numpy()
    expected = {
        "loss/residue_annotation": losses[known].mean(),
        "average_precision/residue_predictor": average_precision_score(truth[known], logits[known, 1]),
        "average_precision/residue_latent": average_precision_score(truth[known], acts[known, 1]),
        "auc/residue_predictor": roc_auc_score(truth[known], logits[known, 1]),
        "auc/residue_latent": roc_auc_score(truth[known], acts[known, 1]),
        "loss/annotation": np.logaddexp(0, np.where(whole > 0, -1, 1) * pooled).mean(),
        "average_precision/predictor": average_precision_score(whole, pooled),
        "auc/predictor": roc_auc_score(whole, pooled),
    }
    for term, value in expected.items():
        assert values[term] == pytest.approx(value, rel=1e-5), term


def test_without_residue_level_concepts_there_are_no_residue_metrics(toy, batches, sae):
    labels = Labels(torch.from_numpy(toy.labels[20:]).float(), torch.ones(40, 2).bool())
    values = validate_guided(sae, Split(toy.ids[20:], batches(range(20, 60), 7), labels), None)
    assert not [term for term in values if "residue" in term]


def test_balls_are_read_against_the_axioms(sae):
    """GO:1 inside GO:2, and the zero concept outside of both."""
    with torch.no_grad():
        sae.W_pred.zero_()
        sae.W_pred[0, 0] = 1.0
        sae.zero_centres.fill_(9.0)
        sae.radius.copy_(torch.tensor([0.2, -2.0, 0.1]))
    nf1 = torch.tensor([[0, 1], [1, 2]])
    ontology = ConceptAxioms.of(AxiomIndices(nf1, torch.empty(0, 3).long(), 3, 0), ["BPO", "BPO"])
    assert axiom_metrics(sae, ontology) == {"axiom_violation": 0.5, "subsumption_auc": 1.0}


def test_validation_changes_nothing(toy, batches, sae):
    before = {name: tensor.clone() for name, tensor in sae.state_dict().items()}
    labels = Labels(torch.from_numpy(toy.labels[:20]).float(), torch.ones(20, 2).bool())
    split = Split(toy.ids[:20], batches(range(20), 7), labels)
    assert validate_guided(sae, split, None) == validate_guided(sae, split, None)
    assert all(torch.equal(tensor, before[name]) for name, tensor in sae.state_dict().items())
