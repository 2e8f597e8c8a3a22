"""Scorers score any protein as the judge scored those of the run."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from protsae.probing.config import EvaluationConfig, ScoringConfig
from protsae.probing.judge import Judge, Known
from protsae.probing.scorers import SCORER_COLUMNS, best_thresholds, calibration_of, scorer_table
from protsae.probing.splits import SplitLabels

N = {"train": 90, "validation": 60, "test": 60}
COLUMNS = np.array([0, 2, 3])  # concept 1 is of residues


@pytest.fixture
def judge():
    random = np.random.default_rng(0)
    splits = {
        name: SplitLabels(
            [f"{name}{i:02d}" for i in range(n)], random.random((n, 3)) < 0.3, random.random((n, 3)) < 0.9
        )
        for name, n in N.items()
    }
    ids = [name for of in splits.values() for name in of.protein_ids]
    proteins = pd.DataFrame({"protein_id": ids, "cluster_id": [name[:-1] for name in ids]})
    concepts = pd.DataFrame(
        {"concept_id": ["a", "b", "c", "d"], "level": ["protein", "residue", *["protein"] * 2]}
    )
    tables = SimpleNamespace(concepts=concepts)
    judge = Judge(
        Known(proteins, tables, None, None),
        set(ids),
        ScoringConfig(pooling="chosen"),
        EvaluationConfig(n_resamples=20),
    )
    judge.__dict__.update(splits=splits)
    return judge


@pytest.fixture
def encoding(judge):
    """Latents and logits that follow the labels, the last concept's against its direction."""
    random = np.random.default_rng(1)
    rows = []
    for of in judge.splits.values():
        for protein_id, labels in zip(of.protein_ids, of.labels, strict=True):
            signal = np.insert(
                labels * np.array([1.0, 2.0, -1.0]), 1, 0
            )  # a column for the concept of residues

            def noisy(values):
                return (values + random.normal(size=len(values))).astype(np.float32)

            row = {"protein_id": protein_id, "protein_logits": noisy(signal)}
            for pooling in ("mean", "top", "max"):
                clear = signal * [
                    1 + 2 * (pooling == "max"),
                    1,
                    1,
                    1,
                ]  # concept 0 is best told by the maximum
                row[f"{pooling}_latents"] = noisy(np.concatenate([clear, signal[::-1], [0.0]]))
                row[f"{pooling}_gated"] = noisy(clear)
            rows.append(row)
    return pd.DataFrame(rows)


def scored(judge, encoding, guided):
    if not guided:
        encoding = encoding.drop(columns="protein_logits")
    scores = judge.score_dictionary("own", encoding, guided=guided)
    return scores, scorer_table(judge, "own", encoding, scores, guided=guided), encoding


@pytest.mark.parametrize("guided", [True, False])
def test_scorers_give_the_judge_s_scores(judge, encoding, guided):
    scores, scorers, encoding = scored(judge, encoding, guided)
    assert list(scorers.columns) == list(SCORER_COLUMNS)
    assert scorers["score"].unique().tolist() == (["predictor", "latent"] if guided else ["latent"])
    values = encoding.set_index("protein_id")
    for kind, rows in scorers.groupby("score"):
        found = np.stack(
            [
                np.stack(values[f"{row.pooling}_latents" if kind == "latent" else "protein_logits"].loc[ids])[
                    :, row.latent if kind == "latent" else row.concept_idx
                ]
                * row.sign
                for row in rows.itertuples()
                for ids in [judge.splits["test"].protein_ids]
            ],
            axis=1,
        )
        np.testing.assert_array_equal(found, scores.values[f"own_{kind}"]["test"])
    latents = scorers[scorers["score"] == "latent"]
    assert latents["pooling"].nunique() > 1, "several poolings are tested"
    if guided:
        assert latents["latent"].tolist() == COLUMNS.tolist()
    else:
        assert (latents["sign"] == -1).any()


def test_worth_of_a_score_is_scikit_learn_s(judge, encoding):
    scores, scorers, _ = scored(judge, encoding, True)
    for kind, of_kind in scorers.groupby("score"):
        calibration, rows = calibration_of(of_kind), of_kind.reset_index()
        split = {
            s: calibration.probabilities(scores.values[f"own_{kind}"][s]) for s in ("validation", "test")
        }
        for column, row in rows.iterrows():
            truth, chances, raw = {}, {}, {}
            for name, values in split.items():
                of = judge.splits[name]
                counted = of.labelled[:, column]
                truth[name], chances[name] = of.labels[counted, column], values[counted, column]
                raw[name] = scores.values[f"own_{kind}"][name][counted, column]
            assert row["auc_test"] == pytest.approx(roc_auc_score(truth["test"], raw["test"]))
            assert row["aupr_test"] == pytest.approx(average_precision_score(truth["test"], raw["test"]))
            assert row["auc_low"] < row["auc_test"] < row["auc_high"]
            assert row["n_test"] == len(truth["test"])
            if np.isnan(row["threshold"]):
                assert row["slope"] == 0 and row["f1_test"] == 0
                continue
            assert row["f1_test"] == pytest.approx(
                f1_score(truth["test"], chances["test"] >= row["threshold"])
            )
            tried = {
                t: f1_score(truth["validation"], chances["validation"] >= t) for t in chances["validation"]
            }
            assert row["threshold"] == max(t for t, f1 in tried.items() if f1 > max(tried.values()) - 1e-12)
    test = judge.splits["test"]
    shares = [test.labels[of, i].mean() for i, of in enumerate(test.labelled.T)]
    assert scorers["prevalence"].tolist() == pytest.approx(2 * shares)


def test_a_score_against_its_concept_has_no_threshold(judge, encoding):
    _, scorers, _ = scored(judge, encoding, True)
    last = scorers[scorers["concept_id"] == "d"]
    assert (last["slope"] == 0).all() and last["threshold"].isna().all()
    assert scorers[scorers["concept_id"] == "c"]["threshold"].notna().all()


def test_threshold_never_cuts_through_equal_values():
    # By hand: calling the two of .5 gives 2 of 3 right, F1 .8; the best single one gives F1 .667.
    of = SplitLabels(list("abcd"), np.array([[1], [1], [0], [0]], bool), np.ones((4, 1), bool))
    assert best_thresholds(np.array([[0.9], [0.5], [0.5], [0.1]]), of).tolist() == [0.5]
    nobody = SplitLabels(of.protein_ids, np.zeros((4, 1), bool), of.labelled)
    assert np.isnan(best_thresholds(np.zeros((4, 1)), nobody)).all()
