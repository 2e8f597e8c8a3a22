"""Evaluation end to end on a small ontology, against scikit-learn and hand-made propagation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from protsae.core.errors import InputError
from protsae.metrics.cafa import propagate_scores
from protsae.probing.calibration import fit_calibration
from protsae.probing.config import EvaluationConfig
from protsae.probing.estimates import Key, difference_rows
from protsae.probing.evaluation import evaluate_all, evaluate_method, homology_strata
from protsae.probing.judge import Judgement
from protsae.probing.splits import SplitLabels
from protsae.probing.vocabulary import CountedOnce, Vocabulary

N = 80


def all_count(concepts):
    """Return concepts of labels that overlap little, so that every one counts."""
    labels = np.eye(5, dtype=bool)[np.arange(20) % 5]
    split = SplitLabels([], labels, np.ones_like(labels))
    return CountedOnce.of(concepts, {"train": split, "validation": split}, 0.9)


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
            "information_content": [1.0, 2.0, 0.5, 3.0, 0.0],
            "information_content_deepgo": [1.0, 1.5, 0.5, 2.5, 0.0],
        }
    )
    return Vocabulary.of(all_count(concepts), terms, relations)


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
WITHOUT_INTERVALS = ("fmax_threshold", "n_effective_concepts")
SUPERVISION = {"linear_probe": "probe", "prevalence": "none"}


def judged(evaluations) -> Judgement:
    return Judgement(evaluations, SUPERVISION, {})


def test_descendants_follow_the_relations_of_each_preset(vocabulary):
    assert vocabulary.below["cafa"] == [[1], [], [3], [], []]
    assert vocabulary.below["deepgo"] == [[1, 3], [], [3], [], []]
    assert vocabulary.information("deepgo").tolist() == [1.0, 1.5, 0.5, 2.5, 0.0]
    assert {name: list(index) for name, index in vocabulary.columns().items()} == {
        "BPO": [0, 1],
        "MFO": [2, 3],
        "CCO": [4],
        "all": [0, 1, 2, 3, 4],
    }


def test_macro_values_equal_scikit_learn_and_mean_is_over_aspects(vocabulary, splits, scores):
    found = evaluate_all(scores, splits, vocabulary, CLUSTERS, EvaluationConfig(n_resamples=50))
    rows = judged(found).rows(0.95).query("preset != 'deepgo'")
    table = rows.set_index(["method", "split", "metric", "aspect"])["value"].sort_index()
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


def test_macro_means_run_over_representatives_and_the_rest_over_all(vocabulary, splits, scores):
    """P:2 is represented by P:1: BPO is one concept, and Fmax stays what it is."""
    twin = replace(vocabulary.once, representative=np.array([0, 0, 2, 3, 4]))
    config = EvaluationConfig(n_resamples=20)
    before = evaluate_all(scores, splits, vocabulary, CLUSTERS, config)["linear_probe", "test"]
    found = evaluate_all(scores, splits, replace(vocabulary, once=twin), CLUSTERS, config)
    after = found["linear_probe", "test"]
    auc = before.concepts["auc"]
    assert after["auc", "BPO"].value == pytest.approx(auc[0])
    assert after["auc", "all"].value == pytest.approx(auc[[0, 2, 3, 4]].mean())
    assert (after["auc", "all"].n, before["auc", "all"].n) == (4, 5)
    assert after["auc", "mean"].value == pytest.approx(np.mean([auc[0], auc[[2, 3]].mean(), auc[4]]))
    for key, estimate in before.estimates.items():
        if key.metric not in ("auc", "aupr", "n_effective_concepts"):
            assert after.estimates[key].value == estimate.value, key
    number = after.estimates[Key("n_effective_concepts", "BPO")]
    assert (number.value, number.n, number.samples) == (pytest.approx(1), 1, None)
    assert len(after.concepts) == 5


def test_intervals_are_on_test_only_and_reproducible(vocabulary, splits, scores):
    config = EvaluationConfig(n_resamples=100)
    found = evaluate_all(scores, splits, vocabulary, CLUSTERS, config)
    table = judged(found).rows(0.95).query("metric not in @WITHOUT_INTERVALS")
    on_test = table["split"] == "test"
    assert table.loc[~on_test, ["low", "high"]].isna().all(axis=None)
    assert (table.loc[on_test, "low"] <= table.loc[on_test, "value"]).all()
    assert (table.loc[on_test, "high"] >= table.loc[on_test, "value"]).all()
    probe = table[on_test & (table["method"] == "linear_probe") & (table["metric"] == "auc")]
    assert (probe["high"] - probe["low"]).between(0.005, 0.3).all()
    again = judged(evaluate_all(scores, splits, vocabulary, CLUSTERS, config)).rows(0.95)
    again = again.query("metric not in @WITHOUT_INTERVALS")
    pd.testing.assert_frame_equal(table, again)


def n_pairs_of_mfo(splits):
    """Labelled pairs of test proteins and concepts of MFO."""
    return int(splits["test"].labelled[:, 2:4].sum())


def test_columns_say_what_was_counted(vocabulary, splits, scores):
    found = evaluate_all(scores, splits, vocabulary, CLUSTERS, EvaluationConfig(n_resamples=5))
    table = judged(found).rows(0.95)
    table = table.set_index(["method", "split", "metric", "aspect"]).sort_index()
    assert table.loc[("linear_probe", "test", "auc", "all"), "n"] == 5
    assert table.loc[("linear_probe", "test", "auc", "mean"), "n"] == 3
    annotated = int(splits["test"].labels[:, 2:4].any(axis=1).sum())
    assert set(table.loc[("linear_probe", "test", "fmax", "MFO"), "n"]) == {annotated}
    assert table.loc[("linear_probe", "test", "aupr_micro", "MFO"), "n"].tolist()[0] == n_pairs_of_mfo(splits)
    assert set(table.loc["linear_probe", "supervision"]) == {"probe"}
    assert set(table.xs("fmax", level="metric")["preset"]) == {"cafa", "deepgo"}
    assert set(table.xs("aupr_curve", level="metric")["preset"]) == {"deepgo"}
    assert set(table.xs("auc", level="metric")["preset"]) == {""}
    concepts = judged(found).concepts(vocabulary)
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
    assert found["fmax", "BPO"].value == 1.0


def test_deepgo_propagates_labels_and_scores_across_aspects(vocabulary):
    """F:2 is part of P:1: its label and its score count there, though the protein has no label in BPO."""
    labels, labelled = np.zeros((2, 5), dtype=bool), np.zeros((2, 5), dtype=bool)
    labels[0, [2, 3]], labelled[:, 2:4] = True, True
    probabilities = np.zeros((2, 5))
    probabilities[0, 3] = 0.9
    split = SplitLabels(["a", "b"], labels, labelled)
    presets = ("cafa", "deepgo")
    found = evaluate_method(probabilities, probabilities, split, vocabulary, None, presets=presets)
    bpo = found.estimates[Key("fmax", "BPO", "deepgo")]
    assert (bpo.value, bpo.n) == (1.0, 1)
    assert found["fmax", "BPO"].n == 0


def test_micro_precision_pools_calibrated_propagated_pairs(vocabulary, splits, scores):
    found = evaluate_all(scores, splits, vocabulary, CLUSTERS, EvaluationConfig(n_resamples=20))
    test, validation = splits["test"], splits["validation"]
    values = scores["linear_probe"]
    calibration = fit_calibration(values["validation"], validation.labels, validation.labelled)
    probabilities = propagate_scores(calibration.probabilities(values["test"]), vocabulary.below["cafa"])
    for aspect, columns in {"MFO": slice(2, 4), "all": slice(0, 5)}.items():
        counted = test.labelled[:, columns]
        pairs = test.labels[:, columns][counted], probabilities[:, columns][counted]
        estimate = found["linear_probe", "test"]["aupr_micro", aspect]
        assert estimate.value == pytest.approx(average_precision_score(*pairs))
        assert estimate.samples.std() > 0


def test_bands_of_identity_are_judged_by_themselves(vocabulary, splits, scores):
    proteins = pd.DataFrame({"protein_id": splits["test"].protein_ids})
    proteins["is_audited"] = np.arange(N) < 70
    proteins["nearest_train_identity"] = np.where(np.arange(N) < 40, np.nan, 0.25)
    proteins.loc[[68, 69], "nearest_train_identity"] = 0.6
    proteins["nearest_train_coverage"] = np.where(np.arange(N) < 40, np.nan, 0.5)
    bands = homology_strata(proteins)
    assert list(dict.fromkeys(bands.values())) == [
        "no hit",
        "identity 20-30 %, coverage >=50 %",
        "identity >50 %, coverage >=50 %",
    ]
    config = EvaluationConfig(n_resamples=20, min_stratum=10)
    found = evaluate_all(scores, splits, vocabulary, CLUSTERS, config, bands)
    test, values = splits["test"], scores["linear_probe"]["test"]
    rows = judged(found).rows(0.95).query("method == 'linear_probe' and split == 'test'")
    assert set(rows["stratum"]) == {
        "",
        "no hit",
        "identity 20-30 %, coverage >=50 %",
    }  # two proteins are too few
    auc = rows[(rows["metric"] == "auc") & (rows["aspect"] == "MFO")].set_index("stratum")
    for stratum, inside in {
        "no hit": slice(0, 40),
        "identity 20-30 %, coverage >=50 %": slice(40, 68),
    }.items():
        kept = test.labelled[inside, 2]
        parts = [roc_auc_score(test.labels[inside, j][kept], values[inside, j][kept]) for j in (2, 3)]
        expected = np.mean(parts)
        assert auc.loc[stratum, "value"] == pytest.approx(expected)
        assert auc.loc[stratum, "low"] < auc.loc[stratum, "high"]
        assert auc.loc[stratum, "low"] <= expected <= auc.loc[stratum, "high"]
    assert not any(key.stratum for key in found["linear_probe", "validation"].estimates)


def test_differences_are_paired_resample_by_resample(vocabulary, splits, scores):
    shifted = {"near": {s: v + 0.01 * np.arange(5) for s, v in scores["linear_probe"].items()}, **scores}
    shifted["near"] = {
        s: v + 1e-3 * np.random.default_rng(5).normal(size=v.shape) for s, v in shifted["near"].items()
    }
    config = EvaluationConfig(n_resamples=50)
    found = evaluate_all(shifted, splits, vocabulary, CLUSTERS, config)
    table = difference_rows(found, [("near", "linear_probe"), ("linear_probe", "prevalence")], 0.95)
    assert set(table["method"]) == {"near - linear_probe", "linear_probe - prevalence"}
    rows = table.set_index(["method", "metric", "aspect", "preset"]).sort_index()
    near = rows.loc[("near - linear_probe", "auc", "mean", "")]
    one, other = (found[name, "test"]["auc", "mean"] for name in ("near", "linear_probe"))
    assert near["value"] == pytest.approx(one.value - other.value)
    low, high = np.quantile(one.samples - other.samples, [0.025, 0.975])
    assert near[["low", "high"]].tolist() == pytest.approx([low, high])
    assert near["high"] - near["low"] < 0.1 * (
        np.quantile(one.samples, 0.975) - np.quantile(one.samples, 0.025)
    )
    assert rows.loc[("linear_probe - prevalence", "smin", "mean", "cafa"), "high"] < 0


def test_concepts_without_information_are_refused(vocabulary):
    concepts = vocabulary.concepts.drop(columns="information_content")
    bare = Vocabulary(concepts, vocabulary.below, vocabulary.once)
    with pytest.raises(InputError, match="no column information_content: run the pipeline annotation"):
        bare.information("cafa")
