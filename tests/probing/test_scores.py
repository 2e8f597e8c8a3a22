"""Score rows: what is selected is selected on validation, and the floors are floors."""

import numpy as np
import pandas as pd
import pytest

from protsae.core.errors import InputError
from protsae.metrics.ranking import pairwise_auc, roc_auc
from protsae.probing.config import ScoringConfig
from protsae.probing.scores import (
    ENCODED,
    prevalence_scores,
    score_all_methods,
    score_table,
    select_latents,
)
from protsae.probing.shuffles import shuffle_labels
from protsae.probing.splits import SplitLabels

COLUMNS = np.arange(3)  # all concepts are of whole proteins


def split_labels(prefix, labels, labelled=None):
    ids = [f"{prefix}{i:03d}" for i in range(len(labels))]
    return SplitLabels(ids, labels, np.ones_like(labels) if labelled is None else labelled)


@pytest.fixture
def splits():
    generator = np.random.default_rng(0)
    sizes = {"train": 120, "validation": 60, "test": 60}
    return {
        name: split_labels(name, generator.random((n, 3)) < 0.3, generator.random((n, 3)) < 0.9)
        for name, n in sizes.items()
    }


def table(splits, column, values):
    rows = [
        {"protein_id": protein_id, column: vector}
        for split, labels in splits.items()
        for protein_id, vector in zip(labels.protein_ids, values[split], strict=True)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)  # order must not matter


def test_the_latent_is_chosen_on_validation_even_where_test_prefers_another():
    """Latent 0 is perfect on validation and useless on test; latent 1 the other way round."""
    truth = np.arange(40)[:, None] % 2 == 0
    noise = np.random.default_rng(1).random((40, 3))
    validation, test = noise.copy(), noise.copy()
    validation[:, 0] = truth[:, 0]
    test[:, 1] = truth[:, 0]
    chosen = select_latents(validation, truth, np.ones_like(truth))
    assert chosen.latent.tolist() == [0]
    assert pairwise_auc(test, truth).argmax() == 1
    np.testing.assert_array_equal(chosen.scores(test)[:, 0], test[:, 0])


def test_a_latent_that_speaks_against_a_concept_is_used_with_its_sign_and_ties_go_to_the_first():
    truth = np.arange(30)[:, None] % 3 == 0
    latents = np.column_stack([np.ones(30), ~truth[:, 0], truth[:, 0], ~truth[:, 0]]).astype(float)
    chosen = select_latents(latents, truth, np.ones_like(truth))
    assert (chosen.latent.tolist(), chosen.sign.tolist(), chosen.auc.tolist()) == ([1], [-1.0], [1.0])
    assert roc_auc(chosen.scores(latents), truth)[0] == 1.0


def test_every_method_scores_every_held_out_pair_and_knows_what_it_was_given(splits):
    generator = np.random.default_rng(2)
    signal = {
        name: labels.labels + 0.3 * generator.normal(size=labels.labels.shape)
        for name, labels in splits.items()
    }
    noise = {name: generator.random((len(labels.protein_ids), 6)) for name, labels in splits.items()}
    protsae = table(splits, "mean_latents", {n: np.hstack([signal[n], noise[n]]) for n in splits}).merge(
        table(splits, "protein_logits", {n: 2 * signal[n] for n in splits}), on="protein_id"
    )
    topk = table(splits, "mean_latents", {n: np.hstack([noise[n], -signal[n]]) for n in splits})
    activations = table(splits, "activation", signal)
    scores = score_all_methods(protsae, topk, activations, splits, COLUMNS, ScoringConfig())
    assert tuple(scores) == tuple(ENCODED)
    test = splits["test"]
    auc = {m: roc_auc(by["test"], test.labels, test.labelled).mean() for m, by in scores.items()}
    for method in (
        "protsae_latent",
        "protsae_predictor",
        "topk_latent",
        "protsae_probe",
        "topk_probe",
        "linear_probe",
    ):
        assert auc[method] > 0.95, method
    assert auc["prevalence"] == 0.5
    assert abs(auc["shuffled_labels"] - 0.5) < 0.25
    np.testing.assert_array_equal(scores["protsae_latent"]["test"], signal["test"])
    np.testing.assert_array_equal(scores["topk_latent"]["test"], signal["test"])

    long = score_table(scores, splits, COLUMNS)
    assert len(long) == len(ENCODED) * 120 * 3
    assert dict(zip(long["method"], long["supervision"], strict=True)) == {
        name: method.supervision for name, method in ENCODED.items()
    }
    one = long[
        (long["method"] == "protsae_latent") & (long["protein_id"] == "test007") & (long["concept_idx"] == 2)
    ]
    assert one["score"].tolist() == [signal["test"][7, 2]]


def test_concepts_of_residues_take_part_in_no_score(splits):
    """Concepts 1 and 3 of five are of residues: the scores of the others are as if these were not there."""
    generator = np.random.default_rng(5)
    columns = np.array([0, 2, 4])
    n = {name: len(labels.protein_ids) for name, labels in splits.items()}
    wide = {
        name: SplitLabels(
            labels.protein_ids,
            np.insert(labels.labels, [1, 2], generator.random((n[name], 2)) < 0.5, axis=1),
            np.insert(labels.labelled, [1, 2], generator.random((n[name], 2)) < 0.5, axis=1),
        )
        for name, labels in splits.items()
    }
    latents = {name: generator.random((n[name], 7)) for name in splits}
    logits = {name: generator.normal(size=(n[name], 5)) for name in splits}
    pooled = table(splits, "mean_latents", latents)
    activations = table(splits, "activation", latents)
    protsae = pooled.merge(table(splits, "protein_logits", logits), on="protein_id")
    config = ScoringConfig(l2=(0.1, 1.0))
    found = score_all_methods(protsae, pooled, activations, wide, columns, config)
    narrow = pooled.merge(
        table(splits, "protein_logits", {name: logits[name][:, columns] for name in splits}), on="protein_id"
    )
    expected = score_all_methods(narrow, pooled, activations, splits, COLUMNS, config)
    for method in ENCODED:
        for split in ("validation", "test"):
            if method == "protsae_latent":
                np.testing.assert_array_equal(found[method][split], latents[split][:, columns])
            else:
                np.testing.assert_array_equal(found[method][split], expected[method][split], err_msg=method)
    long = score_table(found, wide, columns)
    one = long[(long["method"] == "protsae_predictor") & (long["protein_id"] == "test007")]
    assert one["concept_idx"].tolist() == [0, 2, 4]
    assert one["score"].tolist() == logits["test"][7, columns].tolist()


def test_test_labels_are_never_looked_at(splits):
    generator = np.random.default_rng(3)
    latents = {name: generator.random((len(labels.protein_ids), 5)) for name, labels in splits.items()}
    protsae = table(splits, "mean_latents", latents).merge(
        table(splits, "protein_logits", {n: latents[n][:, :3] for n in splits}), on="protein_id"
    )
    inputs = (protsae, table(splits, "mean_latents", latents), table(splits, "activation", latents))
    honest = score_all_methods(*inputs, splits, COLUMNS, ScoringConfig(l2=(0.1, 1.0)))
    turned = {**splits, "test": split_labels("test", ~splits["test"].labels)}
    blind = score_all_methods(*inputs, turned, COLUMNS, ScoringConfig(l2=(0.1, 1.0)))
    for method, by_split in honest.items():
        np.testing.assert_array_equal(by_split["test"], blind[method]["test"], err_msg=method)


def test_prevalence_is_the_training_share_among_labelled(splits):
    train = splits["train"]
    expected = [train.labels[train.labelled[:, j], j].mean() for j in range(3)]
    np.testing.assert_allclose(prevalence_scores(splits)["validation"], np.tile(expected, (60, 1)))


@pytest.mark.parametrize("learnt", ["train", "validation"])
def test_shuffling_moves_whole_label_vectors_of_all_proteins_but_those_of_test(splits, learnt):
    shuffled = shuffle_labels(splits, seed=0)
    before, after = splits[learnt], shuffled[learnt]
    assert not np.array_equal(before.labels, after.labels)
    rows = np.hstack([before.labels, before.labelled]).astype(int)
    assert sorted(map(tuple, rows)) == sorted(
        map(tuple, np.hstack([after.labels, after.labelled]).astype(int))
    )
    assert shuffled["test"] is splits["test"]
    np.testing.assert_array_equal(after.labels, shuffle_labels(splits, seed=0)[learnt].labels)


def test_encodings_of_another_vocabulary_or_other_proteins_are_refused(splits):
    latents = {name: np.ones((len(labels.protein_ids), 5)) for name, labels in splits.items()}
    plain = table(splits, "mean_latents", latents)
    activations = table(splits, "activation", latents)
    with pytest.raises(InputError, match="protein_logits"):
        score_all_methods(plain, plain, activations, splits, COLUMNS, ScoringConfig())
    guided = plain.assign(protein_logits=plain["mean_latents"])
    with pytest.raises(InputError, match="knows 5 concepts, the labels have 3"):
        score_all_methods(guided, plain, activations, splits, COLUMNS, ScoringConfig())
    with pytest.raises(InputError, match="1 proteins were not encoded"):
        score_all_methods(guided, plain.iloc[1:], activations, splits, COLUMNS, ScoringConfig())
