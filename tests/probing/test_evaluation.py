"""Evaluation end to end on a small ontology, against scikit-learn and hand-made propagation."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from protsae.core.errors import InputError
from protsae.probing.config import EvaluationConfig
from protsae.probing.evaluation import (
    Vocabulary,
    concept_metrics,
    evaluate_all,
    evaluate_method,
    score_metrics,
    scores_by_method,
)
from protsae.probing.scores import score_table
from protsae.probing.splits import SplitLabels

N = 80


@pytest.fixture
def vocabulary():
    """F:2 is_a F:1, P:2 part_of P:1, F:2 part_of P:1 (another aspect: not followed), C:1 alone."""
    terms = pd.DataFrame(
        {
            "term_id": ["C:1", "F:1", "F:2", "P:1", "P:2"],
            "aspect": ["CCO", "MFO", "MFO", "BPO", "BPO"],
            "is_obsolete": False,
        }
    )
    relations = pd.DataFrame(
        [("F:2", "is_a", "F:1"), ("F:2", "part_of", "P:1"), ("P:2", "part_of", "P:1")],
        columns=["child_id", "relation", "parent_id"],
    )
    concepts = pd.DataFrame(
        {
            "concept_idx": [0, 1, 2, 3, 4],
            "concept_id": ["P:1", "P:2", "F:1", "F:2", "C:1"],
            "aspect": ["BPO", "BPO", "MFO", "MFO", "CCO"],
            "name": ["a", "b", "c", "d", "e"],
        }
    )
    return Vocabulary.of(concepts.sample(frac=1, random_state=0), terms, relations)


@pytest.fixture
def splits():
    generator = np.random.default_rng(0)
    found = {}
    for name in ("validation", "test"):
        labels = generator.random((N, 5)) < 0.25
        labels[:, 0] |= labels[:, 1]
        labels[:, 2] |= labels[:, 3]
        labelled = np.repeat(generator.random((N, 3)) < 0.9, [2, 2, 1], axis=1)
        found[name] = SplitLabels([f"{name}{i}" for i in range(N)], labels & labelled, labelled)
    return found


@pytest.fixture
def scores(splits):
    generator = np.random.default_rng(1)
    good = {s: 5 * (labels.labels + generator.normal(size=(N, 5))) for s, labels in splits.items()}
    flat = {s: np.tile([0.4, 0.2, 0.3, 0.1, 0.2], (N, 1)) for s in splits}
    return {"linear_probe": good, "prevalence": flat}


CLUSTERS = {f"test{i}": f"c{i // 2}" for i in range(N)}


def test_descendants_follow_is_a_and_part_of_within_an_aspect(vocabulary):
    assert vocabulary.descendants == [[1], [], [3], [], []]
    assert {name: list(index) for name, index in vocabulary.columns().items()} == {
        "BPO": [0, 1],
        "MFO": [2, 3],
        "CCO": [4],
        "all": [0, 1, 2, 3, 4],
    }


def test_macro_values_equal_scikit_learn_and_mean_is_over_aspects(vocabulary, splits, scores):
    found = evaluate_all(scores, splits, vocabulary, CLUSTERS, EvaluationConfig(n_resamples=50))
    table = (
        score_metrics(found, 0.95).set_index(["method", "split", "metric", "aspect"])["value"].sort_index()
    )
    test = splits["test"]
    values = scores["linear_probe"]["test"]
    kept = [test.labelled[:, j] for j in range(5)]
    auc = [roc_auc_score(test.labels[kept[j], j], values[kept[j], j]) for j in range(5)]
    ap = [average_precision_score(test.labels[kept[j], j], values[kept[j], j]) for j in range(5)]
    row = table["linear_probe", "test"]
    assert row["auc", "BPO"] == pytest.approx(np.mean(auc[:2]))
    assert row["auc", "all"] == pytest.approx(np.mean(auc))
    assert row["auc", "mean"] == pytest.approx(np.mean([np.mean(auc[:2]), np.mean(auc[2:4]), auc[4]]))
    assert row["aupr", "MFO"] == pytest.approx(np.mean(ap[2:4]))
    assert (table["prevalence", "test", "auc"] == 0.5).all()
    share = np.mean([test.labels[kept[j], j].mean() for j in (2, 3)])
    assert table["prevalence", "test", "aupr", "MFO"] == pytest.approx(share)
    assert row["fmax", "mean"] > table["prevalence", "test", "fmax", "mean"]


def test_intervals_stand_on_test_only_hold_the_value_and_are_the_same_again(vocabulary, splits, scores):
    config = EvaluationConfig(n_resamples=100)
    found = evaluate_all(scores, splits, vocabulary, CLUSTERS, config)
    table = score_metrics(found, 0.95)
    on_test = table["split"] == "test"
    assert table.loc[~on_test, ["low", "high"]].isna().all(axis=None)
    assert (table.loc[on_test, "low"] <= table.loc[on_test, "value"]).all()
    assert (table.loc[on_test, "high"] >= table.loc[on_test, "value"]).all()
    probe = table[on_test & (table["method"] == "linear_probe") & (table["metric"] == "auc")]
    assert (probe["high"] - probe["low"]).between(0.005, 0.3).all()
    again = score_metrics(evaluate_all(scores, splits, vocabulary, CLUSTERS, config), 0.95)
    pd.testing.assert_frame_equal(table, again)


def test_columns_say_what_was_counted(vocabulary, splits, scores):
    found = evaluate_all(scores, splits, vocabulary, CLUSTERS, EvaluationConfig(n_resamples=5))
    table = score_metrics(found, 0.95).set_index(["method", "split", "metric", "aspect"]).sort_index()
    assert table.loc[("linear_probe", "test", "auc", "all"), "n"] == 5
    assert table.loc[("linear_probe", "test", "auc", "mean"), "n"] == 3
    annotated = int(splits["test"].labels[:, 2:4].any(axis=1).sum())
    assert table.loc[("linear_probe", "test", "fmax", "MFO"), "n"] == annotated
    assert set(table.loc["linear_probe", "supervision"]) == {"probe"}
    assert set(table.xs("fmax", level="metric")["preset"]) == {"cafa"}
    assert set(table.xs("auc", level="metric")["preset"]) == {""}
    concepts = concept_metrics(found, vocabulary)
    one = concepts[(concepts["method"] == "linear_probe") & (concepts["split"] == "test")]
    assert one["concept_id"].tolist() == ["P:1", "P:2", "F:1", "F:2", "C:1"]
    assert one["n_positive"].tolist() == splits["test"].labels.sum(axis=0).tolist()


def test_fmax_sees_propagated_scores(vocabulary):
    """The child is predicted, its parent not: propagation by maximum makes both right."""
    labels = np.zeros((2, 5), dtype=bool)
    labels[0, [0, 1]] = True
    split = SplitLabels(["a", "b"], labels, np.ones_like(labels))
    probabilities = np.zeros((2, 5))
    probabilities[0, 1] = 0.9
    found = evaluate_method(probabilities, probabilities, split, vocabulary, None)
    assert found.estimates["fmax", "BPO"].value == 1.0


def test_the_long_table_gives_the_matrices_back_or_says_what_is_missing(splits, scores):
    columns = np.array([0, 1, 2, 4, 6])  # concepts 3 and 5 are of residues
    long = score_table(scores, splits, columns)
    assert sorted(long["concept_idx"].unique()) == [0, 1, 2, 4, 6]
    again = scores_by_method(long.sample(frac=1, random_state=0), splits, columns)
    for method, by_split in scores.items():
        for split, matrix in by_split.items():
            np.testing.assert_array_equal(again[method][split], matrix)
    with pytest.raises(InputError, match="method linear_probe has 399 scores of the validation split"):
        scores_by_method(long.iloc[1:], splits, columns)
