"""Concepts of residues, judged residue by residue, against scikit-learn and a slow loop over residues."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from tests.code_store import stored_codes

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.core.errors import InputError
from protsae.encoding.run import Run
from protsae.metrics.bootstrap import cluster_weights
from protsae.metrics.table import METRIC_COLUMNS
from protsae.probing.config import EvaluationConfig
from protsae.probing.labelled import LabelledProteins
from protsae.probing.residue_scores import (
    CONCEPT_COLUMNS,
    FLOORS,
    ResidueSplit,
    concept_areas,
    evaluate_residues,
    shares_by,
)
from protsae.sae.config import ProtSaeConfig
from protsae.sae.protsae import ProtSae

HOOK = "layers.1.resid_post"
RUN = Run(method="protsae", seed=4, hook_point=HOOK, k=2)
CONCEPT_IDS = ("GO:1", "site", "GO:2", "loop", "helix")
CONCEPTS = pd.DataFrame(
    {
        "concept_idx": range(5),
        "concept_id": CONCEPT_IDS,
        "name": list("abcde"),
        "aspect": ["MFO", "motif", "MFO", "shape", "shape"],
        "level": ["protein", "residue", "protein", "residue", "residue"],
    }
)
COLUMNS = [1, 3, 4]
CONFIG = EvaluationConfig(n_resamples=60, seed=3)
SPLITS = ("train", "validation", "test")
SUPERVISION = {"protsae_latent": "training", "protsae_predictor": "training", **FLOORS}


class ToyProteins:
    """Forty-five proteins; a site is a C more often than not, and dimension 0 of the activations marks it."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.ids = [f"P{i:02d}" for i in rng.permutation(45)]
        self.sequences = {p: "".join(rng.choice(list("ACDEX"), size=rng.integers(4, 15))) for p in self.ids}
        spans, self.truth, x = [], {}, {}
        for p, sequence in self.sequences.items():
            truth = np.zeros((len(sequence), 5), dtype=bool)
            truth[:, 1] = np.array(list(sequence)) == "C"
            truth[:, 1] &= rng.random(len(sequence)) < 0.8
            truth[rng.integers(len(sequence)) :, 3] = True
            truth[:, 4] = rng.random(len(sequence)) < 0.3
            spans += [(p, c, n, i, i + 1) for n, (i, c) in enumerate(zip(*truth.nonzero(), strict=True))]
            self.truth[p] = truth
            x[p] = np.round(16 * (rng.normal(size=(len(sequence), 4)) + 2 * truth[:, [1, 3, 4, 0]])) / 16
        self.x = {p: block.astype(np.float32) for p, block in x.items()}
        labelled = [(p, "MFO") for p in self.ids] + [
            (p, "motif") for p in self.ids if p not in ("P07", "P20")
        ]
        labelled += [(p, "shape") for p in self.ids if rng.random() < 0.8]
        self.known = {(p, aspect) for p, aspect in labelled}
        self.proteins = pd.DataFrame(
            {
                "protein_id": self.ids,
                "sequence": [self.sequences[p] for p in self.ids],
                "split": [SPLITS[int(p[1:]) % 3] for p in self.ids],
                "cluster_id": [f"c{int(p[1:]) // 6}" for p in self.ids],
            }
        )
        positives = [(p, c) for p in self.ids for c in np.flatnonzero(self.truth[p].any(axis=0))]
        self.tables = LabelTables(
            CONCEPTS,
            pd.DataFrame(positives, columns=["protein_id", "concept_idx"]),
            pd.DataFrame(labelled, columns=["protein_id", "aspect"]),
            pd.DataFrame(spans, columns=list(RESIDUE_LABEL_COLUMNS)).sample(frac=1, random_state=0),
        )

    def residues(self, split, concept):
        """Labelled residues of one split for one concept: protein, position and truth, one at a time."""
        aspect = CONCEPTS.set_index("concept_idx").loc[concept, "aspect"]
        names = self.proteins.loc[self.proteins["split"] == split, "protein_id"]
        for p in sorted(names):
            if (p, aspect) in self.known:
                for i in range(len(self.sequences[p])):
                    yield p, i, bool(self.truth[p][i, concept])


@pytest.fixture(scope="module")
def toy():
    return ToyProteins()


@pytest.fixture(scope="module")
def sae():
    config = ProtSaeConfig(
        d_model=4, d_sae=12, k=2, concept_ids=CONCEPT_IDS, residue_level=("site", "loop", "helix")
    )
    module = ProtSae(config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        weights = torch.tensor(
            [[0, 0, 0, 1.0], [1.0, 0, 0, 0], [0, 0, 0, -1.0], [0, 1.0, 0, 0], [0, 0.5, 1.0, 0]]
        )
        module.W_pred.copy_(weights)
        module.W_free.copy_((64 * module.W_free).round() / 64)
    return module


@pytest.fixture(scope="module")
def codes(toy, sae, tmp_path_factory):
    with torch.no_grad():
        acts, logits = (
            {p: f(torch.from_numpy(x)).numpy() for p, x in toy.x.items()}
            for f in (sae.encode, sae.predictor_logits)
        )
    held_out = {p: SPLITS[int(p[1:]) % 3] for p in toy.ids if int(p[1:]) % 3}
    return stored_codes(
        tmp_path_factory.mktemp("codes"),
        {p: acts[p] for p in held_out},
        held_out,
        run=RUN,
        concept_ids=CONCEPT_IDS,
        logits={p: values[:, COLUMNS] for p, values in logits.items()},
        residue_concepts=COLUMNS,
    )


@pytest.fixture(scope="module")
def evaluated(toy, codes):
    return evaluate(toy, codes)


def evaluate(toy, codes, **changes):
    given = {"proteins": toy.proteins, "tables": toy.tables, **changes}
    return evaluate_residues(codes, LabelledProteins.of(**given, available=toy.ids), CONFIG)


def slow_share_at(toy, training, concept, p, i, end=None):
    """Share of positives among training residues as far from the same end; all of them if there is none."""
    if end is None:
        validation = list(toy.residues("validation", concept))
        aucs = []
        for candidate in (0, 1):
            shares = [slow_share_at(toy, training, concept, q, j, candidate) for q, j, _ in validation]
            aucs.append(roc_auc_score([true for *_, true in validation], shares))
        end = int(aucs[1] > aucs[0])

    def distance(q, j):
        return j if end == 0 else len(toy.sequences[q]) - j

    same = [true for q, j, true in training if distance(q, j) == distance(p, i)]
    same = same or [true for *_, true in training]
    return sum(same) / len(same)


@torch.no_grad()
def slow_scores(toy, sae, method, split, concept):
    """Truth and scores of the labelled residues, one residue at a time."""
    residues = list(toy.residues(split, concept))
    training = list(toy.residues("train", concept))
    scores = []
    for p, i, _ in residues:
        row = torch.from_numpy(toy.x[p][i : i + 1])
        letter = toy.sequences[p][i]
        if method == "protsae_latent":
            scores.append(float(sae.encode(row)[0, concept]))
        elif method == "protsae_predictor":
            scores.append(float(sae.predictor_logits(row)[0, concept]))
        elif method == "residue_identity":
            same = [true for q, j, true in training if toy.sequences[q][j] == letter]
            scores.append(sum(same) / len(same))
        elif method == "position":
            scores.append(slow_share_at(toy, training, concept, p, i))
        else:
            scores.append(sum(true for *_, true in training) / len(training))
    return [true for *_, true in residues], scores


def test_every_figure_equals_a_loop_over_residues(toy, sae, evaluated):
    metrics, per_concept = evaluated
    assert tuple(per_concept.columns) == CONCEPT_COLUMNS
    assert tuple(metrics.columns) == METRIC_COLUMNS
    assert len(per_concept) == len(SUPERVISION) * 2 * 3
    rows = per_concept.set_index(["method", "split", "concept_id"])
    values = metrics.set_index(["method", "split", "metric", "aspect"])["value"]
    for method in SUPERVISION:
        for split in ("validation", "test"):
            expected = {}
            for concept in COLUMNS:
                truth, scores = slow_scores(toy, sae, method, split, concept)
                row = rows.loc[method, split, CONCEPT_IDS[concept]]
                assert (row["n_residues"], row["n_positive"]) == (len(truth), sum(truth))
                expected[concept] = roc_auc_score(truth, scores), average_precision_score(truth, scores)
                assert row["auc"] == pytest.approx(expected[concept][0], abs=1e-12)
                assert row["average_precision"] == pytest.approx(expected[concept][1], abs=1e-12)
            groups = {"motif": [1], "shape": [3, 4], "all": COLUMNS}
            for aspect, concepts in groups.items():
                for position, metric in enumerate(("auc", "aupr")):
                    mean = np.mean([expected[c][position] for c in concepts])
                    assert values[method, split, metric, aspect] == pytest.approx(mean, abs=1e-12)
    assert rows.loc["protsae_predictor", "test", "site"]["auc"] > 0.85
    assert rows.loc["prevalence", "test", "site"]["auc"] == 0.5
    assert rows.loc["position", "test", "loop"]["auc"] > 0.7  # loops reach to the end


def test_rows_say_what_they_are(evaluated):
    metrics, per_concept = evaluated
    assert set(metrics["stratum"]) == {"residues"}
    assert dict(zip(metrics["method"], metrics["supervision"], strict=True)) == SUPERVISION
    indexed = metrics.set_index(["method", "split", "metric", "aspect"])
    row = indexed.loc["protsae_latent", "test", "auc", "shape"]
    assert row[["n", "seed", "hook_point", "k"]].tolist() == [2, 4, HOOK, 2]
    row = indexed.loc["residue_identity", "test", "auc", "all"]
    assert row["n"] == 3
    assert pd.isna(row["seed"])
    assert row["hook_point"] == ""
    one = per_concept[(per_concept["method"] == "prevalence") & (per_concept["split"] == "test")]
    assert one[["concept_idx", "concept_id", "name", "aspect"]].to_numpy().tolist() == [
        [1, "site", "b", "motif"],
        [3, "loop", "d", "shape"],
        [4, "helix", "e", "shape"],
    ]


def test_intervals_stand_on_test_only_and_hold_the_value(evaluated):
    metrics, _ = evaluated
    on_test = metrics["split"] == "test"
    assert metrics.loc[~on_test, ["low", "high"]].isna().all(axis=None)
    auc = metrics[on_test & (metrics["metric"] == "auc")]
    assert (auc["low"] <= auc["value"]).all()
    assert (auc["high"] >= auc["value"]).all()
    predictor = auc[auc["method"].str.startswith("protsae")]
    assert (predictor["high"] - predictor["low"]).between(0.005, 0.5).all()


def test_a_second_run_changes_nothing(toy, codes, evaluated):
    for table, other in zip(evaluated, evaluate(toy, codes), strict=True):
        pd.testing.assert_frame_equal(table, other)


def lined_up(toy, split):
    proteins = LabelledProteins.of(toy.proteins, toy.tables, toy.ids)
    return ResidueSplit.of(proteins.truth(split), proteins.letters_of(proteins.ids[split])), proteins.ids[
        split
    ]


def test_residues_are_lined_up_with_their_proteins(toy):
    found, ids = lined_up(toy, "validation")
    assert ids == sorted(ids)
    assert found.letters.tobytes().decode() == "".join(toy.sequences[p] for p in ids)
    known = np.array([[(p, a) in toy.known for a in ("motif", "shape", "shape")] for p in ids])
    truth = np.concatenate([toy.truth[p] for p in ids])[:, COLUMNS]
    np.testing.assert_array_equal(found.labelled, known[found.protein])
    np.testing.assert_array_equal(found.labels, truth & known[found.protein])
    assert np.bincount(found.protein).tolist() == [len(toy.sequences[p]) for p in ids]


def test_shares_by_hand():
    """Protein 1 is not labelled for concept 1; W and a third residue never occur."""
    train = ResidueSplit(
        labels=np.array([[1, 1], [0, 1], [1, 0], [1, 1]], dtype=bool),
        labelled=np.array([[True, True], [True, True], [True, False], [True, False]]),
        protein=np.array([0, 0, 1, 1]),
        letters=np.frombuffer(b"CACA", dtype=np.uint8),
        from_start=np.array([0, 1, 0, 1]),
        from_end=np.array([1, 0, 1, 0]),
    )
    found = shares_by(train, train.letters)
    assert found.overall.tolist() == [3 / 4, 1.0]
    letters = np.frombuffer(b"CAWZ", dtype=np.uint8)
    assert found(letters).tolist() == [[1.0, 1.0], [1 / 2, 1.0], [3 / 4, 1.0], [3 / 4, 1.0]]
    assert shares_by(train, train.from_end)(np.array([0, 1, 2])).tolist() == [
        [1 / 2, 1.0],
        [1.0, 1.0],
        [3 / 4, 1.0],
    ]


def test_areas_are_resampled_by_whole_clusters_of_labelled_proteins(toy):
    split, ids = lined_up(toy, "test")
    rng = np.random.default_rng(1)
    scores = np.round(rng.normal(size=split.labels.shape) + split.labels, 1)  # with ties
    clusters = [int(p[1:]) // 6 for p in ids]
    weights = cluster_weights(clusters, 5, np.random.default_rng(0))
    found = concept_areas(scores, split, weights)
    for column in range(3):
        known = split.labelled[:, column]
        truth = split.labels[known, column]
        assert found.values["auc"][column] == pytest.approx(roc_auc_score(truth, scores[known, column]))
        for sample, weight in enumerate(weights):
            each = weight[split.protein][known]
            expected = roc_auc_score(truth, scores[known, column], sample_weight=each)
            assert found.samples["auc"][sample, column] == pytest.approx(expected)
            expected = average_precision_score(truth, scores[known, column], sample_weight=each)
            assert found.samples["aupr"][sample, column] == pytest.approx(expected)
    alone = concept_areas(scores, split, None)
    assert alone.samples is None
    np.testing.assert_array_equal(alone.values["aupr"], found.values["aupr"])


def test_scores_of_residues_that_are_not_labelled_change_nothing(toy):
    split, _ = lined_up(toy, "test")
    scores = np.random.default_rng(1).normal(size=split.labels.shape)
    known = split.labelled
    assert not known.all()
    other = concept_areas(np.where(known, scores, 99.0), split, None)
    for metric, values in concept_areas(scores, split, None).values.items():
        np.testing.assert_allclose(values, other.values[metric], rtol=1e-12)


def test_without_residue_level_concepts_there_is_nothing_to_judge(toy, codes):
    tables = LabelTables(
        CONCEPTS.assign(level="protein"),
        toy.tables.protein_labels,
        toy.tables.labelled_aspects,
        toy.tables.residue_labels.head(0),
    )
    metrics, per_concept = evaluate(toy, codes, tables=tables)
    assert (len(metrics), tuple(metrics.columns)) == (0, METRIC_COLUMNS)
    assert (len(per_concept), tuple(per_concept.columns)) == (0, CONCEPT_COLUMNS)


def test_another_vocabulary_and_other_lengths_are_refused(toy, codes):
    other = LabelTables(
        CONCEPTS.replace("helix", "strand"),
        toy.tables.protein_labels,
        toy.tables.labelled_aspects,
        toy.tables.residue_labels,
    )
    with pytest.raises(InputError, match="such as helix: train it again"):
        evaluate(toy, codes, tables=other)
    longer = toy.proteins.assign(sequence=toy.proteins["sequence"] + "A")
    with pytest.raises(
        InputError, match=r"residues but activations of \d+: what is measured residue by residue"
    ):
        evaluate(toy, codes, proteins=longer)
