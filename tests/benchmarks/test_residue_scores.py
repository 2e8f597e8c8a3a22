"""Scores of residues judged, against scikit-learn and loops over thresholds and residues."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from tests.interpretation.toy_proteins import HOOK, OF_RESIDUES, ToyProteins

from helpers.residue_scores import (
    best_thresholds,
    dense_probe_scores,
    identity_scores,
    judge_scores,
    latent_scores,
    probe_scores,
    residue_matrix,
    score_rows,
)
from protsae.interpretation.align import AlignmentTask
from protsae.interpretation.baselines import of_neurons, of_windows
from protsae.interpretation.config import ChoiceConfig, KSparseConfig
from protsae.interpretation.sources import FreshCodes, LettersOnly
from protsae.metrics.table import METRIC_COLUMNS


@pytest.fixture(scope="module")
def pair():
    """Toy proteins whose concepts of residues all have positives."""
    toy = ToyProteins()
    tables = toy.tables
    concepts = tables.concepts[tables.concepts["concept_id"] != "nothing"]
    full = type(tables)(concepts, tables.protein_labels, tables.labelled_aspects, tables.residue_labels)
    choice = ChoiceConfig(n_resamples=30, residues_per_batch=50)
    return toy, AlignmentTask.of(toy.proteins, full, toy.store.protein_ids, choice, KSparseConfig())


@pytest.fixture(scope="module")
def codes(pair):
    toy, task = pair
    return FreshCodes(toy.store, HOOK, of_neurons("neurons", torch.zeros(4)), task.proteins, 50)


def rows_of(toy, split, concept):
    """Labelled residues of a split, proteins by id: place in the split, protein, letter, truth."""
    spans, known = toy.counted(split)
    place = OF_RESIDUES.index(concept)
    positive = {(p, i) for p, c, _, a, b in spans if c == place for i in range(a, b)}
    at = 0
    for p in toy.of(split):
        for i, letter in enumerate(toy.sequences[p]):
            if (p, place) in known:
                yield at, p, letter, (p, i) in positive
            at += 1


def test_metrics_equal_scikit_learn_at_the_threshold_of_validation(pair):
    toy, task = pair
    rng = np.random.default_rng(0)
    n = {split: sum(len(toy.sequences[p]) for p in toy.of(split)) for split in ("validation", "test")}
    scores = {split: np.round(rng.normal(size=(size, 2)), 1) for split, size in n.items()}
    for split, values in scores.items():
        for column, concept in enumerate((1, 3)):
            for at, *_, true in rows_of(toy, split, concept):
                values[at, column] += true
    judged = judge_scores(scores, task)
    for column, concept in enumerate((1, 3)):
        truth, values = {}, {}
        for split in scores:
            rows = list(rows_of(toy, split, concept))
            truth[split] = [row[3] for row in rows]
            values[split] = scores[split][[row[0] for row in rows], column]
        candidates = np.unique(values["validation"])
        f1 = [f1_score(truth["validation"], values["validation"] >= t) for t in candidates]
        best = max(t for t, value in zip(candidates, f1, strict=True) if value == max(f1))
        expected = {
            "auc": roc_auc_score(truth["test"], values["test"]),
            "aupr": average_precision_score(truth["test"], values["test"]),
            "f1": f1_score(truth["test"], values["test"] >= best),
        }
        for metric, value in expected.items():
            assert judged.values[metric][column] == pytest.approx(value, abs=1e-12)
            samples = judged.samples[metric][:, column]
            assert samples.min() < value < samples.max()


def test_ties_take_the_highest_threshold():
    scores = np.array([[3.0], [2.0], [1.0], [0.0]])
    labels = np.array([[True], [False], [True], [False]])
    every = np.ones_like(labels)
    assert best_thresholds(scores, labels, every).tolist() == [1.0]
    assert best_thresholds(scores, labels & [[True], [True], [False], [True]], every).tolist() == [3.0]
    assert best_thresholds(scores, labels, every & [[True], [True], [False], [True]]).tolist() == [3.0]


def test_residue_identity_is_the_training_share_of_positives(pair):
    toy, task = pair
    scores = identity_scores(task)["test"]
    for column, concept in enumerate((1, 3)):
        training = list(rows_of(toy, "train", concept))
        for at, _, letter, _ in list(rows_of(toy, "test", concept))[:60]:
            same = [true for *_, other, true in training if other == letter]
            assert scores[at, column] == pytest.approx(np.mean(same))


def test_codes_of_a_split_lie_protein_by_protein(pair, codes):
    toy, task = pair
    matrix = residue_matrix(codes, task, "test").toarray()
    x = np.concatenate([toy.store.proteins[p] for p in toy.of("test")])
    np.testing.assert_array_equal(matrix, np.maximum(np.concatenate([x, -x], axis=1), 0))


def test_the_planted_latent_is_chosen_and_probes_find_it(pair, codes):
    toy, task = pair
    scores = latent_scores(codes, task)
    x = np.concatenate([toy.store.proteins[p] for p in toy.of("test")])
    np.testing.assert_array_equal(scores["test"][:, 0], np.maximum(x[:, 0], 0))
    assert judge_scores(scores, task).values["auc"][0] > 0.95
    assert judge_scores(probe_scores(codes, task, 2), task).values["auc"][0] > 0.97
    features = {
        split: np.concatenate([toy.store.proteins[p] for p in ids])
        for split, ids in task.proteins.ids.items()
    }
    dense = judge_scores(dense_probe_scores(features, task, (0.01, 0.1)), task)
    assert dense.values["auc"][0] > 0.97


def test_windows_over_whole_sites_beat_residue_identity(pair):
    _, task = pair
    codes = FreshCodes(LettersOnly(task.proteins), "", of_windows(1), task.proteins, 50)
    judged = judge_scores(probe_scores(codes, task, 5), task)
    identity = judge_scores(identity_scores(task), task)
    table = score_rows(judged, identity, task, {"method": "windows", "supervision": "probe", "seed": 4})
    assert tuple(table.columns) == METRIC_COLUMNS
    rows = table.set_index(["aspect", "metric"])
    assert rows.loc[("site", "aupr_over_identity"), "low"] > 0.2
    assert rows.loc[("loop", "aupr_over_identity"), "low"] < 0.1
    difference = judged.values["f1"].mean() - identity.values["f1"].mean()
    assert rows.loc[("all", "f1_over_identity"), "value"] == pytest.approx(difference)
    assert rows.loc[("all", "auc"), ["n", "seed"]].tolist() == [2, 4]
    assert rows.loc[("site", "auc"), "n"] == task.proteins.truth("test").n_known()[0]
    own = score_rows(identity, identity, task, {"method": "residue_identity"})
    over = own[own["metric"].str.endswith("over_identity")]
    assert (over[["value", "low", "high"]] == 0).all(axis=None)
