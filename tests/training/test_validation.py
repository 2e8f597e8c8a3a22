"""A validation pass against one big computation, and against hand-placed balls."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from protsae.sae.axioms import AxiomIndices
from protsae.sae.config import ProtSaeConfig
from protsae.sae.protsae import ProtSae
from protsae.training.data import Labels, Ontology, Split
from protsae.training.validation import axiom_metrics, validate


@pytest.fixture
def sae():
    config = ProtSaeConfig(d_model=24, d_sae=40, k=5, concept_ids=("GO:1", "GO:2"), n_zero=1)
    module = ProtSae(config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        module.W_pred.mul_(40)
    return module


def test_equals_one_computation_over_all_residues(world, batches, sae):
    proteins = range(20, 60)
    truth = world.labels[20:60]
    labelled = np.ones_like(truth)
    labelled[:7, 1] = False
    labels = Labels(torch.from_numpy(truth).float(), torch.from_numpy(labelled))
    values = validate(sae, Split(world.ids[20:60], batches(proteins, 7), labels), None)

    x = torch.from_numpy(np.concatenate([world.x[i] for i in proteins]))
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


def test_balls_are_read_against_the_axioms(sae):
    """GO:1 inside GO:2, and the zero concept outside of both."""
    with torch.no_grad():
        sae.W_pred.zero_()
        sae.W_pred[0, 0] = 1.0
        sae.zero_centres.fill_(9.0)
        sae.radius.copy_(torch.tensor([0.2, -2.0, 0.1]))
    nf1 = torch.tensor([[0, 1], [1, 2]])
    ontology = Ontology.of(AxiomIndices(nf1, torch.empty(0, 3).long(), 3, 0), ["BPO", "BPO"])
    assert axiom_metrics(sae, ontology) == {"axiom_violation": 0.5, "subsumption_auc": 1.0}


def test_validation_changes_nothing(world, batches, sae):
    before = {name: tensor.clone() for name, tensor in sae.state_dict().items()}
    labels = Labels(torch.from_numpy(world.labels[:20]).float(), torch.ones(20, 2).bool())
    split = Split(world.ids[:20], batches(range(20), 7), labels)
    assert validate(sae, split, None) == validate(sae, split, None)
    assert all(torch.equal(tensor, before[name]) for name, tensor in sae.state_dict().items())
