"""The control without an autoencoder, against scikit-learn and loops over residues."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from tests.memory_store import MemoryStore

from protsae.probing.config import GatedProbeConfig, ScoringConfig
from protsae.probing.gated_probe import gated_probe_table, sample_residues
from protsae.probing.splits import SplitLabels, feature_matrix

HOOK = "final_norm"
D, N_CONCEPTS = 5, 3
SIZES = {"train": 60, "validation": 20, "test": 25}


class Toy:
    """Proteins of 3 to 12 residues; concept c raises dimension c on half of a protein's residues."""

    def __init__(self):
        rng = np.random.default_rng(0)
        mixing = rng.normal(size=(D, D)) + 2 * np.eye(D)
        self.blocks, self.splits = {}, {}
        for split, n in SIZES.items():
            ids = [f"{split}{i:02d}" for i in range(n)]
            labels, labelled = rng.random((n, N_CONCEPTS)) < 0.35, rng.random((n, N_CONCEPTS)) < 0.9
            self.splits[split] = SplitLabels(ids, labels, labelled)
            for name, of in zip(ids, labels, strict=True):
                x = rng.normal(size=(rng.integers(3, 13), D))
                x[::2, :N_CONCEPTS] += 1.5 * of
                self.blocks[name] = (x @ mixing + 3).astype(np.float32)
        names = list(self.blocks)
        self.store = MemoryStore({name: self.blocks[name] for name in rng.permutation(names)}, HOOK)
        self.means = {
            split: np.stack([self.blocks[name].mean(axis=0, dtype=np.float64) for name in of.protein_ids])
            for split, of in self.splits.items()
        }

    def scores(self, config, splits=None, pooling="mean"):
        settings = ScoringConfig(pooling=pooling)
        table = gated_probe_table(
            self.store, HOOK, self.means["train"], splits or self.splits, settings, config
        )
        held_out = {split: self.splits[split].protein_ids for split in ("validation", "test")}
        return {split: feature_matrix(table, f"{pooling}_score", ids) for split, ids in held_out.items()}


@pytest.fixture(scope="module")
def toy():
    return Toy()


def slow(toy, pooling, floor=0.01, l2=0.05):
    """Scikit-learn on numpy's whitening; thresholds by sorting, pooling by loops. All residues are drawn."""
    covariance = np.cov(toy.means["train"], rowvar=False)
    values, vectors = np.linalg.eigh(covariance)
    whitening = vectors @ np.diag((values + floor * values.mean()) ** -0.5) @ vectors.T
    train = toy.splits["train"]
    expected = np.zeros((SIZES["test"], N_CONCEPTS))
    for c in range(N_CONCEPTS):
        known = train.labelled[:, c]
        # the probes of this project standardise by all training proteins
        features = toy.means["train"] @ whitening
        centre, scale = features.mean(axis=0), features.std(axis=0)
        probe = LogisticRegression(C=1 / (known.sum() * l2), tol=1e-12, max_iter=10_000)
        probe.fit((features[known] - centre) / scale, train.labels[known, c])

        def logits(name, probe=probe, centre=centre, scale=scale):
            return probe.decision_function((toy.blocks[name] @ whitening - centre) / scale)

        of_known = [logits(name) for name, is_known in zip(train.protein_ids, known, strict=True) if is_known]
        ranked = np.sort(np.concatenate(of_known))[::-1]
        rate = (train.labels[known, c].sum() + 1) / (known.sum() + 2)
        n_open = round(rate * len(ranked))
        threshold = (ranked[n_open - 1] + ranked[n_open]) / 2
        for i, name in enumerate(toy.splits["test"].protein_ids):
            passed = [max(logit - threshold, 0) for logit in logits(name)]
            n_pooled = {"mean": len(passed), "top": math.ceil(len(passed) / 10), "max": 1}[pooling]
            expected[i, c] = sum(sorted(passed)[-n_pooled:]) / n_pooled
    return expected


@pytest.mark.parametrize("pooling", ["mean", "top", "max"])
def test_scores_equal_scikit_learn_and_loops_over_residues(toy, pooling):
    config = GatedProbeConfig(residues_per_protein=12, residues_per_batch=50, l2=(0.05,))
    found = toy.scores(config, pooling=pooling)["test"]
    np.testing.assert_allclose(found, slow(toy, pooling), atol=2e-5)
    assert (found == 0).any() and (found > 0).any()


def test_where_poolings_are_to_be_chosen_all_are_there_for_all_splits(toy):
    config = GatedProbeConfig(l2=(0.05,))
    settings = ScoringConfig(pooling="chosen")
    found = gated_probe_table(toy.store, HOOK, toy.means["train"], toy.splits, settings, config)
    assert set(found["protein_id"]) == set(toy.blocks)
    for pooling in ("mean", "top", "max"):
        alone = toy.scores(config, pooling=pooling)["test"]
        ids = toy.splits["test"].protein_ids
        np.testing.assert_array_equal(feature_matrix(found, f"{pooling}_score", ids), alone)


def test_the_strength_is_chosen_by_the_gated_scores_on_validation(toy):
    strengths = (0.001, 0.05, 30.0)
    validation = toy.splits["validation"]
    values = {}
    for l2 in strengths:
        scores = toy.scores(GatedProbeConfig(l2=(l2,)))["validation"]
        of_concept = [
            roc_auc_score(validation.labels[known, c], scores[known, c])
            for c in range(N_CONCEPTS)
            for known in [validation.labelled[:, c]]
        ]
        values[l2] = np.mean(of_concept)
    assert len(set(values.values())) == 3
    best = max(strengths, key=values.__getitem__)
    chosen, alone = (toy.scores(GatedProbeConfig(l2=l2))["test"] for l2 in (strengths, (best,)))
    np.testing.assert_allclose(chosen, alone, atol=1e-4)  # a path starts each fit where the last one ended
    others = (toy.scores(GatedProbeConfig(l2=(l2,)))["test"] for l2 in strengths if l2 != best)
    assert min(np.abs(chosen - other).max() for other in others) > 0.05


def test_batches_change_nothing_and_neither_do_labels_of_test(toy):
    one = toy.scores(GatedProbeConfig(residues_per_batch=1))
    test = toy.splits["test"]
    turned = {**toy.splits, "test": SplitLabels(test.protein_ids, ~test.labels, test.labelled)}
    other = toy.scores(GatedProbeConfig(residues_per_batch=10_000), turned)
    for split, scores in one.items():
        np.testing.assert_allclose(scores, other[split], atol=1e-12)


def test_draws_are_of_few_residues_and_bounded(toy):
    ids = toy.splits["train"].protein_ids
    found = sample_residues(toy.store, HOOK, ids, GatedProbeConfig(residues_per_protein=3, max_residues=130))
    assert np.bincount(found.protein).tolist() == [2] * 60  # 130 // 60
    whole = sample_residues(toy.store, HOOK, ids, GatedProbeConfig(residues_per_protein=3))
    assert np.bincount(whole.protein).tolist() == [3] * 60
    for i, name in enumerate(ids):
        rows = whole.x[whole.protein == i]
        np.testing.assert_allclose(whole.means[i], rows.mean(axis=0, dtype=np.float64), atol=1e-6)
        places = [np.flatnonzero((toy.blocks[name] == row).all(axis=1)) for row in rows]
        assert len({int(place[0]) for place in places}) == 3  # three residues of this protein, each once
    np.testing.assert_array_equal(found.means, whole.means)


def test_without_concepts_of_proteins_there_are_no_scores(toy):
    none = {split: of.of_concepts(np.arange(0)) for split, of in toy.splits.items()}
    assert gated_probe_table(
        toy.store, HOOK, toy.means["train"], none, ScoringConfig(), GatedProbeConfig()
    ).empty
