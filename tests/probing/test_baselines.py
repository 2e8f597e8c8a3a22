"""Baselines: composition by hand, neighbours by their formula, and a random model that is the shape alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from protsae.core.errors import InputError
from protsae.metrics.ranking import roc_auc
from protsae.plm import load_plm
from protsae.plm.forward import Esm2Forward
from protsae.probing.baselines import composition, score_baselines
from protsae.probing.config import NeighbourConfig, RandomPlmConfig, ScoringConfig
from protsae.probing.neighbours import NEIGHBOUR_COLUMNS, find_neighbours, neighbour_scores
from protsae.probing.random_plm import random_mean_activations, random_model
from protsae.probing.splits import SplitLabels

PLM = Path(__file__).parents[2] / "data/01_raw/demo/esm2_mini.safetensors"
LETTERS = np.array(list("ACDEFGHIKLMNPQRSTVWY"))


def test_composition_is_shares_and_log_length():
    found = composition({"a": "AACX", "b": "W"}).set_index("protein_id")["composition"]
    np.testing.assert_allclose(found["a"], [0.5, 0.25, *[0] * 18, np.log(4)])
    assert found["b"][18] == 1.0
    assert found["b"][20] == 0.0


def test_neighbours_are_training_proteins_with_bit_scores():
    generator = np.random.default_rng(0)
    families = generator.choice(LETTERS, (2, 120))
    rows = []
    for i in range(12):
        changed = np.where(generator.random(120) < 0.3, generator.choice(LETTERS, 120), families[i % 2])
        split = ("train", "train", "validation", "test")[i // 2 % 4]
        rows.append((f"{split}{i}", "".join(changed), split))
    rows.append(("test_alone", "".join(generator.choice(LETTERS, 80)), "test"))
    proteins = pd.DataFrame(rows, columns=["protein_id", "sequence", "split"])
    found = find_neighbours(proteins, NeighbourConfig(max_e_value=1e-3, max_neighbours=3))
    assert tuple(found.columns) == NEIGHBOUR_COLUMNS
    assert "test_alone" not in set(found["protein_id"])
    assert found["neighbour_id"].str.startswith("train").all()
    parity = found[["protein_id", "neighbour_id"]].apply(lambda c: c.str.extract(r"(\d+)")[0].astype(int) % 2)
    assert (parity["protein_id"] == parity["neighbour_id"]).all()  # of the same family
    assert (found.groupby("protein_id").size() == 3).all()
    assert found["bits"].between(50, 260).all()  # 120 columns of BLOSUM62, half identical
    assert found.groupby("protein_id")["bits"].apply(lambda bits: bits.is_monotonic_decreasing).all()


def test_scores_are_shares_of_bits_with_the_prevalence_as_prior():
    labels = {
        "train": SplitLabels(
            ["t1", "t2", "t3", "t4"],
            np.array([[1, 0], [0, 1], [1, 1], [0, 0]], bool),
            np.array([[1, 1], [1, 1], [1, 0], [1, 1]], bool),
        ),
        "validation": SplitLabels(["v1", "v2"], np.array([[1, 0], [0, 1]], bool), np.ones((2, 2), bool)),
        "test": SplitLabels(["q", "alone"], np.zeros((2, 2), bool), np.ones((2, 2), bool)),
    }
    rows = [
        ("q", "t1", 0.9, 100.0),
        ("q", "t3", 0.4, 50.0),
        ("q", "gone", 0.4, 50.0),
        ("v1", "t1", 0.9, 80.0),
    ]
    neighbours = pd.DataFrame(rows, columns=list(NEIGHBOUR_COLUMNS))
    found = neighbour_scores(neighbours, labels, [10.0])["test"]
    prevalence = [2 / 4, 1 / 3]  # t3 is not labelled in the aspect of the second
    np.testing.assert_allclose(found[1], prevalence)
    expected = [(150 + 10 * prevalence[0]) / 160, (0 + 10 * prevalence[1]) / 110]
    np.testing.assert_allclose(found[0], expected)


def test_the_prior_is_chosen_on_validation():
    """One weak neighbour that misleads, one strong that is right: only a strong prior ranks them well."""
    train = SplitLabels(["t1", "t2"], np.array([[True], [False]]), np.ones((2, 1), bool))
    of_two = SplitLabels(["v1", "v2", "v3"], np.array([[True], [True], [False]]), np.ones((3, 1), bool))
    rows = [
        ("v1", "t1", 0.9, 200.0),
        ("v2", "t1", 0.9, 150.0),
        ("v2", "t2", 0.9, 10.0),
        ("v3", "t1", 0.3, 5.0),
    ]
    neighbours = pd.DataFrame(rows, columns=list(NEIGHBOUR_COLUMNS))
    splits = {"train": train, "validation": of_two, "test": of_two}
    weak, strong, chosen = (neighbour_scores(neighbours, splits, p) for p in ([1e-6], [100.0], [1e-6, 100.0]))
    assert roc_auc(weak["test"], of_two.labels)[0] < roc_auc(strong["test"], of_two.labels)[0] == 1.0
    np.testing.assert_array_equal(chosen["test"], strong["test"])


def test_the_random_model_has_the_shape_and_none_of_the_weights():
    model = load_plm(PLM)
    one, again, other = (random_model(model, seed) for seed in (0, 0, 1))
    assert (one.n_layers, one.d_model, one.n_heads) == (model.n_layers, model.d_model, model.n_heads)
    weights = [m.module.layers[0].fc1.weight for m in (model, one, again, other)]
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[1], weights[3])
    assert abs(np.corrcoef(weights[0].numpy().ravel(), weights[1].numpy().ravel())[0, 1]) < 0.02
    assert one.module.token_dropout == model.module.token_dropout
    assert {one.sha256, other.sha256, model.sha256} == {one.sha256, other.sha256, model.sha256}
    assert len({one.sha256, other.sha256, model.sha256}) == 3


def test_means_are_over_all_residues_also_of_proteins_in_windows():
    generator = np.random.default_rng(1)
    sequences = {name: "".join(generator.choice(LETTERS, n)) for name, n in (("b", 30), ("a", 90), ("c", 7))}
    config = RandomPlmConfig(max_residues=64, window_overlap=32, max_tokens_per_batch=80)
    hook_point = "layers.1.resid_post"
    model = load_plm(PLM)
    found = random_mean_activations(model, hook_point, sequences, config)
    assert found["protein_id"].tolist() == ["a", "b", "c"]
    means = found.set_index("protein_id")["activation"]
    forward = Esm2Forward(random_model(model, 0), [hook_point])
    for name in ("b", "c"):
        expected = forward.run([sequences[name]])[hook_point].mean(dim=0)
        np.testing.assert_allclose(means[name], expected, atol=1e-5)
    text = sequences[
        "a"
    ]  # windows of 64 from 0 and 26: residue 45 is the first nearer to the second's middle
    first, second = (forward.run([part])[hook_point].numpy() for part in (text[:64], text[26:]))
    joined = np.concatenate([first[:45], second[45 - 26 :]])
    np.testing.assert_allclose(means["a"], joined.mean(axis=0), atol=1e-5)


@pytest.fixture
def splits():
    generator = np.random.default_rng(2)
    found = {}
    for name, n in {"train": 90, "validation": 40, "test": 40}.items():
        labels = np.column_stack(
            [generator.random(n) < 0.4, generator.random(n) < 0.5, np.arange(n) % 3 == 0]
        )
        found[name] = SplitLabels([f"{name}{i:02d}" for i in range(n)], labels, np.ones_like(labels))
    return found


def test_every_baseline_finds_what_it_can_see_and_nothing_else(splits):
    """Concept 0 is tryptophan, 1 is in the activations, 2 in the neighbours."""
    generator = np.random.default_rng(3)
    rows, activations, pairs = [], [], []
    train = splits["train"]
    for labels in splits.values():
        for i, protein_id in enumerate(labels.protein_ids):
            letters = generator.choice(LETTERS[:-2], 60)
            letters[: 10 if labels.labels[i, 0] else 2] = "W"
            rows.append((protein_id, "".join(letters)))
            activations.append((protein_id, generator.normal(size=4) + 3 * labels.labels[i, 1]))
            alike = np.flatnonzero(train.labels[:, 2] == labels.labels[i, 2])
            pairs.append((protein_id, train.protein_ids[generator.choice(alike)], 0.5, 90.0))
    proteins = pd.DataFrame(rows, columns=["protein_id", "sequence"])
    table = pd.DataFrame(activations, columns=["protein_id", "activation"])
    neighbours = pd.DataFrame(pairs, columns=list(NEIGHBOUR_COLUMNS))
    arguments = splits, ScoringConfig(l2=(0.1, 1.0))
    found = score_baselines(proteins, neighbours, table, *arguments)
    assert set(found) == {"nearest_neighbour", "composition_probe", "random_plm_probe"}
    test = splits["test"]
    auc = {method: roc_auc(by_split["test"], test.labels) for method, by_split in found.items()}
    for concept, method in enumerate(("composition_probe", "random_plm_probe", "nearest_neighbour")):
        assert auc[method][concept] > 0.95, method
        others = [auc[method][c] for c in range(3) if c != concept]
        assert np.abs(np.array(others) - 0.5).max() < 0.25, method
    assert set(score_baselines(proteins, None, None, *arguments)) == {"composition_probe"}
    with pytest.raises(InputError, match="1 proteins have no sequence, the first is train00"):
        score_baselines(proteins.iloc[1:], None, None, *arguments)
