"""The judge: methods of dictionaries and of references on planted proteins."""

import numpy as np
import pandas as pd
import pytest

from protsae.core.errors import InputError
from protsae.encoding.run import Run
from protsae.metrics.ranking import roc_auc
from protsae.probing.config import ComparisonConfig, EvaluationConfig, ScoringConfig
from protsae.probing.judge import (
    SCORE_COLUMNS,
    Judge,
    Known,
    Scores,
    about_dictionary,
    about_references,
    differences,
    estimates_of,
    score_table,
    scores_of,
)
from protsae.probing.scores import REFERENCES, UNTRAINED
from protsae.probing.splits import SplitLabels

COLUMNS = np.arange(3)  # all concepts are of whole proteins


@pytest.fixture
def splits():
    generator = np.random.default_rng(0)
    found = {}
    for name, n in {"train": 120, "validation": 60, "test": 60}.items():
        labels, labelled = generator.random((n, 3)) < 0.3, generator.random((n, 3)) < 0.9
        found[name] = SplitLabels([f"{name}{i:03d}" for i in range(n)], labels, labelled)
    return found


def judge_of(splits, columns=COLUMNS, **scoring) -> Judge:
    """Return a judge of given labels, every protein a cluster of its own."""
    ids = [name for of in splits.values() for name in of.protein_ids]
    proteins = pd.DataFrame({"protein_id": ids, "cluster_id": ids, "sequence": "ACDWY"})
    proteins = proteins.assign(is_audited=False, nearest_train_identity=np.nan, nearest_train_coverage=np.nan)
    known = Known(proteins, None, None, None)
    judge = Judge(known, set(ids), ScoringConfig(**scoring), EvaluationConfig(n_resamples=20))
    judge.__dict__.update(splits=splits, columns=columns)
    return judge


def table(splits, column, values):
    rows = [
        {"protein_id": protein_id, column: vector}
        for split, labels in splits.items()
        for protein_id, vector in zip(labels.protein_ids, values[split], strict=True)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)  # order must not matter


@pytest.fixture
def toy(splits):
    """A guided encoding whose latents and logits are the labels and noise, a plain one, activations."""
    generator = np.random.default_rng(2)
    signal = {
        name: labels.labels + 0.3 * generator.normal(size=labels.labels.shape)
        for name, labels in splits.items()
    }
    noise = {name: generator.random((len(labels.protein_ids), 6)) for name, labels in splits.items()}
    guided = table(splits, "mean_latents", {n: np.hstack([signal[n], noise[n]]) for n in splits}).merge(
        table(splits, "protein_logits", {n: 2 * signal[n] for n in splits}), on="protein_id"
    )
    gated = {n: np.maximum(signal[n] - 0.5, 0) for n in splits}
    guided = guided.merge(table(splits, "mean_gated", gated), on="protein_id")
    plain = table(splits, "mean_latents", {n: np.hstack([noise[n], -signal[n]]) for n in splits})
    return signal, guided, plain, table(splits, "activation", signal)


def gated_probe(activations):
    return activations.rename(columns={"activation": "mean_score"})


def all_scores(judge, guided, plain, activations) -> Scores:
    parts = [
        judge.score_dictionary("own", guided, guided=True),
        judge.score_dictionary("other", plain, guided=False),
        judge.score_references(activations, gated_probe=gated_probe(activations)),
    ]
    values = {method: of for part in parts for method, of in part.values.items()}
    return Scores(values, {method: how for part in parts for method, how in part.supervision.items()})


def test_every_method_scores_every_held_out_pair(splits, toy):
    signal, *encoded = toy
    judge = judge_of(splits)
    scores = all_scores(judge, *encoded)
    assert scores.supervision == {
        "own_latent": "training",
        "own_gate": "training",
        "own_predictor": "training",
        "gated_linear_probe": "probe",
        "own_probe": "probe",
        "other_latent": "selection",
        "other_probe": "probe",
        "neurons_latent": "selection",
        "random_directions_latent": "selection",
        **{f"{name}_k{k}": "probe" for name in ("own", "other", *UNTRAINED) for k in (1, 5, 20)},
        "linear_probe": "probe",
        "prevalence": "none",
        "shuffled_labels": "probe",
        "composition_probe": "probe",
    }
    test = splits["test"]
    auc = {m: roc_auc(by["test"], test.labels, test.labelled).mean() for m, by in scores.values.items()}
    floors = {"prevalence", "shuffled_labels", "composition_probe"}
    for method in set(auc) - floors:
        assert auc[method] > 0.95, method
    assert auc["prevalence"] == auc["composition_probe"] == 0.5
    assert abs(auc["shuffled_labels"] - 0.5) < 0.25
    np.testing.assert_array_equal(scores.values["own_latent"]["test"], signal["test"])
    np.testing.assert_array_equal(scores.values["other_latent"]["test"], signal["test"])
    np.testing.assert_array_equal(scores.values["gated_linear_probe"]["test"], signal["test"])
    np.testing.assert_array_equal(scores.values["own_gate"]["test"], np.maximum(signal["test"] - 0.5, 0))

    long = score_table(scores, judge)
    assert tuple(long.columns) == SCORE_COLUMNS
    assert len(long) == len(scores.values) * 120 * 3
    one = long.query("method == 'own_latent' and protein_id == 'test007' and concept_idx == 2")
    assert one["score"].tolist() == [signal["test"][7, 2]]
    again = scores_of(long.sample(frac=1, random_state=0), judge)
    assert again.supervision == scores.supervision
    for method, by_split in scores.values.items():
        np.testing.assert_array_equal(again.values[method]["test"], by_split["test"])
    with pytest.raises(InputError, match="method own_latent has 179 scores of the validation split"):
        scores_of(long.iloc[1:], judge)


def test_a_chosen_pooling_serves_every_method_with_one_latent_per_concept(splits, toy):
    """The mean is noise for concept 0, the maximum for the others. Probes see the mean."""
    signal, *_ = toy
    generator = np.random.default_rng(7)

    def tables_of(column, values):
        """Return a table with a column for each pooling of values [n, 3] by split."""
        is_noise = {"mean": [True, False, False], "top": [True] * 3, "max": [False, True, True]}
        found = None
        for pooling, which in is_noise.items():
            pooled = {n: np.where(which, generator.normal(size=of.shape), of) for n, of in values.items()}
            one = table(splits, f"{pooling}_{column}", pooled)
            found = one if found is None else found.merge(one, on="protein_id")
        return found

    judge = judge_of(splits, pooling="chosen", l2=(0.1,))
    latents = tables_of("latents", signal)
    gated = tables_of("gated", signal).assign(protein_logits=[np.zeros(3)] * 240)
    both = {name: np.hstack([of, -of]) for name, of in signal.items()}
    untrained = table(splits, "neurons_max", both)
    for column in ("neurons_top", "random_directions_top", "random_directions_max"):
        silent = {name: 0 * of for name, of in both.items()}
        untrained = untrained.merge(table(splits, column, silent), on="protein_id")
    by_mean = table(splits, "activation", {n: of * [0, 1, 1] for n, of in signal.items()})
    scores = judge.score_dictionary("own", latents.merge(gated, on="protein_id"), guided=True)
    scores |= judge.score_dictionary("other", latents, guided=False)
    gated_probe = tables_of("score", signal)
    scores |= judge.score_references(by_mean, gated_probe=gated_probe, untrained=untrained)
    for method in ("own_latent", "own_gate", "other_latent", "gated_linear_probe"):
        assert scores.pooling[method] == ["max", "mean", "mean"], method
        np.testing.assert_array_equal(scores.values[method]["test"], signal["test"])
    assert scores.pooling["neurons_latent"] == ["max", "mean", "mean"]
    np.testing.assert_array_equal(scores.values["neurons_latent"]["test"], signal["test"])
    assert set(scores.pooling) == {
        *("own_latent", "own_gate", "other_latent", "gated_linear_probe"),
        *("neurons_latent", "random_directions_latent"),
    }
    test = splits["test"]
    for method in ("own_probe", "own_k1", "other_probe", "neurons_k1"):
        auc = roc_auc(scores.values[method]["test"], test.labels, test.labelled)
        assert auc[0] < 0.7 and auc[1] > 0.9, method

    again = scores_of(score_table(scores, judge).sample(frac=1, random_state=0), judge)
    assert again.pooling == scores.pooling


def test_concepts_of_residues_take_part_in_no_score(splits):
    """Concepts 1 and 3 of five are of residues: latents and logits of theirs are left out."""
    generator = np.random.default_rng(5)
    columns = np.array([0, 2, 4])
    n = {name: len(labels.protein_ids) for name, labels in splits.items()}
    latents = {name: generator.random((n[name], 7)) for name in splits}
    logits = {name: generator.normal(size=(n[name], 5)) for name in splits}
    encoding = table(splits, "mean_latents", latents)
    for column, values in {"protein_logits": logits, "mean_gated": logits}.items():
        encoding = encoding.merge(table(splits, column, values), on="protein_id")
    judge = judge_of(splits, columns, l2=(0.1, 1.0))
    found = judge.score_dictionary("own", encoding, guided=True)
    np.testing.assert_array_equal(found.values["own_latent"]["test"], latents["test"][:, columns])
    for method in ("own_predictor", "own_gate"):
        np.testing.assert_array_equal(found.values[method]["test"], logits["test"][:, columns])
    long = score_table(found, judge)
    one = long[(long["method"] == "own_predictor") & (long["protein_id"] == "test007")]
    assert one["concept_idx"].tolist() == [0, 2, 4]


def test_test_labels_are_never_looked_at(splits, toy):
    _, *encoded = toy
    honest = all_scores(judge_of(splits, l2=(0.1, 1.0)), *encoded)
    test = splits["test"]
    turned = {**splits, "test": SplitLabels(test.protein_ids, ~test.labels, test.labelled)}
    blind = all_scores(judge_of(turned, l2=(0.1, 1.0)), *encoded)
    for method, by_split in honest.values.items():
        np.testing.assert_array_equal(by_split["test"], blind.values[method]["test"], err_msg=method)


def test_proteins_that_were_not_encoded_are_refused(splits, toy):
    _, guided, *_ = toy
    with pytest.raises(InputError, match="1 proteins were not encoded"):
        judge_of(splits).score_dictionary("own", guided.iloc[1:], guided=True)


def test_without_concepts_of_proteins_nothing_is_scored(splits, toy):
    _, guided, _, activations = toy
    judge = judge_of(splits, np.arange(0))
    assert judge.score_dictionary("own", guided, guided=True) == Scores({}, {})
    nothing = judge.score_references(activations)
    assert nothing == Scores({}, {})
    found = judge.judge(nothing, {})
    assert found.rows(0.95).empty and found.estimates().empty


def test_methods_say_what_they_were_scored_from():
    scores = Scores({"own_probe": {}}, {"own_probe": "probe"})
    run = Run("own", 7, "final_norm", 16)
    assert about_dictionary(run, scores) == {"own_probe": {"seed": 7, "hook_point": "final_norm", "k": 16}}
    untrained = ("neurons_latent", "random_directions_k5")
    references = Scores({method: {} for method in (*REFERENCES, *untrained)}, {})
    assert set(about_references("final_norm", references)) == {
        *untrained,
        "gated_linear_probe",
        "linear_probe",
        "shuffled_labels",
        "random_plm_probe",
    }


def test_pairs_are_of_subject_and_rival_unknown_ones_refused():
    rows = [
        {"method": method, "metric": "auc", "aspect": "mean", "preset": "", "stratum": ""}
        | {"value": value, "n": 3, "samples": value + np.arange(4) / 100}
        for method, value in {"a_latent": 0.7, "b_latent": 0.6, "linear_probe": 0.65}.items()
    ]
    estimates = pd.DataFrame(rows)
    pairs = (("{subject}_latent", "{rival}_latent"), ("{subject}_predictor", "linear_probe"))
    found = differences(estimates, pairs, ComparisonConfig(subject="a", rival="b"), 0.95)
    assert found["method"].tolist() == ["a_latent - b_latent"]  # a has no predictor: left out
    assert found["value"].tolist() == pytest.approx([0.1])
    turned = differences(estimates, pairs, ComparisonConfig(subject="b", rival="a"), 0.95)
    assert turned["value"].tolist() == pytest.approx([-0.1])
    assert differences(estimates, pairs, ComparisonConfig(subject="a"), 0.95).empty
    with pytest.raises(InputError, match="no method 'absent' was scored; there are a_latent, b_latent, lin"):
        differences(estimates, (("a_latent", "absent"),), ComparisonConfig(subject="a"), 0.95)
    (kept,) = estimates_of(estimates.iloc[:1]).values()
    assert (kept.value, kept.n) == (0.7, 3)
