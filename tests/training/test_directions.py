"""Concept directions: means and discriminants against NumPy, and SpLiCE from a plan."""

import numpy as np
import pandas as pd
import pytest
import torch

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.core.errors import InputError
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.training.config import TrainerConfig
from protsae.training.directions import ClassMeans
from protsae.training.fit import fit
from protsae.training.plan import Knowledge, SizeAndSeed, Source, TrainingPlan


def _residues():
    rng = np.random.default_rng(0)
    labels = rng.random((200, 3)) < (0.3, 0.5, 0.1)
    known = rng.random((200, 3)) < 0.8
    mixing = rng.normal(size=(5, 5))
    x = (rng.normal(size=(200, 5)) + labels @ rng.normal(size=(3, 5))) @ mixing
    return x, labels, known


def _sums(x, labels, known):
    means = ClassMeans(3, 5)
    for rows in (slice(0, 90), slice(90, 200)):
        means.update(*(torch.from_numpy(part[rows]) for part in (x, labels.astype(float), known)))
    return means


def test_difference_of_means_leaves_out_what_is_not_labelled():
    x, labels, known = _residues()
    expected = [
        x[labels[:, c] & known[:, c]].mean(axis=0) - x[~labels[:, c] & known[:, c]].mean(axis=0)
        for c in range(3)
    ]
    np.testing.assert_allclose(_sums(x, labels, known).difference().numpy(), expected, atol=1e-12)


def test_discriminant_undoes_the_covariance():
    x, labels, known = _residues()
    sums, covariance = _sums(x, labels, known), np.cov(x.T, bias=True)
    covariance += 0.1 * np.trace(covariance) / 5 * np.eye(5)
    expected = sums.difference().numpy() @ np.linalg.inv(covariance)
    np.testing.assert_allclose(sums.discriminant(0.1).numpy(), expected, rtol=1e-8, atol=1e-10)


@pytest.fixture
def plan(toy):
    split = ["train"] * 40 + ["validation"] * 15 + ["test"] * 5
    proteins = pd.DataFrame({"protein_id": toy.ids, "split": split})
    names = [f"GO:{i}" for i in range(toy.labels.shape[1])]
    concepts = pd.DataFrame(
        {"concept_idx": range(len(names)), "concept_id": names, "aspect": "BPO", "level": "protein"}
    )
    rows = [(toy.ids[p], c) for p, c in zip(*toy.labels.nonzero(), strict=True)]
    tables = LabelTables(
        concepts,
        pd.DataFrame(rows, columns=["protein_id", "concept_idx"]),
        pd.DataFrame({"protein_id": toy.ids, "aspect": "BPO"}),
        pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)),
    )
    axioms = pd.DataFrame(columns=["normal_form", "c", "relation", "d"])

    def make(tables=tables, **settings):
        return TrainingPlan(
            "splice",
            Source(toy.store(), "layers.0.resid_post", proteins),
            SizeAndSeed(48, 3, 0),
            TrainerConfig(residues_per_protein=16, proteins_per_batch=10),
            settings,
            Knowledge(tables, axioms),
        )

    return make


@pytest.mark.parametrize("kind", ["difference", "discriminant"])
def test_a_plan_finds_the_planted_concepts(kind, plan, toy, tmp_path):
    (sae, metadata), log = fit(plan(directions=kind))
    cosines = sae.W_dec.numpy() @ toy.atoms.T
    assert cosines.argmax(axis=1).tolist() == list(range(sae.n_defined))
    assert cosines.max(axis=1).min() > (0.6 if kind == "difference" else 0.4)  # the other is off the atoms
    save_sae(sae, tmp_path / "sae", metadata)
    handle = SaeCheckpoint(tmp_path / "sae")
    assert handle.metadata["concept_ids"] == list(sae.concept_ids)
    x = torch.from_numpy(toy.x[0])
    assert torch.equal(handle.load().encode(x), sae.encode(x))
    assert log.set_index("term")["value"]["l0"] > 0
    again = fit(plan(directions=kind))[0][0]
    assert torch.equal(again.W_dec, sae.W_dec)


def test_without_concepts_there_is_nothing_to_code_on(plan):
    tables = plan().knowledge.tables
    empty = LabelTables(
        tables.concepts.head(0), tables.protein_labels, tables.labelled_aspects, tables.residue_labels
    )
    with pytest.raises(InputError, match="no concepts to guide splice"):
        fit(plan(tables=empty))
