"""Score rows: latents are chosen by the labels that configuration names, and the floors are floors."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from protsae.metrics.ranking import pairwise_auc, roc_auc
from protsae.probing.config import FewLatentsConfig
from protsae.probing.scores import choose_pooling, few_latent_scores, prevalence_scores, select_latents
from protsae.probing.shuffles import shuffle_labels
from protsae.probing.splits import SplitLabels


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


TRUTH = np.arange(40)[:, None] % 2 == 0
CHOSEN = {"train": 0, "validation": 1, "train_and_validation": 2}


def chosen_in(**right):
    """Return splits of forty proteins, and noise [40, 4] in which some latents are the truth in some of
    them."""
    splits = {name: split_labels(name, TRUTH) for name in ("train", "validation", "test")}
    latents = {name: np.random.default_rng(i).random((40, 4)) for i, name in enumerate(splits)}
    for name, shares in right.items():
        for latent, share in shares.items():
            latents[name][: int(40 * share), latent] = TRUTH[: int(40 * share), 0]
    return latents, splits


@pytest.mark.parametrize("selection", CHOSEN)
def test_latent_is_chosen_by_the_labels_of_the_selection_and_never_by_those_of_test(selection):
    """Latent 0 is right in training, 1 in validation, 2 often in both, 3 on test."""
    latents, splits = chosen_in(train={0: 1, 2: 0.8}, validation={1: 1, 2: 0.8}, test={3: 1})
    chosen = select_latents(latents, splits, selection)
    assert chosen.latent.tolist() == [CHOSEN[selection]]
    names = ["train", "validation"] if selection == "train_and_validation" else [selection]
    values = np.concatenate([latents[name][:, CHOSEN[selection]] for name in names])
    expected = roc_auc_score(np.concatenate([TRUTH[:, 0]] * len(names)), values)
    assert chosen.auc[0] == pytest.approx(expected)
    assert pairwise_auc(latents["test"], TRUTH).argmax() == 3
    np.testing.assert_array_equal(chosen.scores(latents["test"])[:, 0], latents["test"][:, CHOSEN[selection]])


@pytest.mark.parametrize("selection", CHOSEN)
def test_probes_on_few_latents_choose_by_the_same_labels(selection):
    latents, splits = chosen_in(train={0: 1, 2: 0.8}, validation={1: 1, 2: 0.8}, test={3: 1})
    (found,) = few_latent_scores(latents, splits, selection, FewLatentsConfig(sizes=(1,))).values()
    order = latents["test"][:, CHOSEN[selection]].argsort()
    rising = found["test"][order, 0]
    assert (np.diff(rising) > 0).all() or (np.diff(rising) < 0).all()  # of that latent alone


@pytest.mark.parametrize("selection", CHOSEN)
def test_poolings_are_chosen_concept_by_concept_by_the_same_labels(splits, selection):
    """Each pooling is noise and some signal; scikit-learn says which is best among labelled proteins."""
    generator = np.random.default_rng(4)
    candidates = {
        name: {split: of.labels + 2 * generator.normal(size=of.labels.shape) for split, of in splits.items()}
        for name in ("mean", "top", "max")
    }
    found, poolings = choose_pooling(candidates, splits, selection)
    names = ["train", "validation"] if selection == "train_and_validation" else [selection]
    for c in range(3):

        def auc(pooling, c=c):
            known = np.concatenate([splits[name].labelled[:, c] for name in names])
            truth = np.concatenate([splits[name].labels[:, c] for name in names])
            values = np.concatenate([candidates[pooling][name][:, c] for name in names])
            return roc_auc_score(truth[known], values[known])

        assert poolings[c] == max(candidates, key=auc)
        np.testing.assert_array_equal(found["test"][:, c], candidates[poolings[c]]["test"][:, c])
    assert len(set(poolings)) > 1


def test_poolings_that_are_level_and_concepts_without_labels_get_the_mean(splits):
    nothing = {
        n: SplitLabels(of.protein_ids, of.labels, np.zeros((len(of.labels), 3), bool))
        for n, of in splits.items()
    }
    values = {split: np.random.default_rng(1).random(of.labels.shape) for split, of in splits.items()}
    other = {split: 1 - of for split, of in values.items()}
    _, poolings = choose_pooling({"mean": values, "max": other}, nothing, "train")
    assert poolings == ["mean"] * 3
    _, poolings = choose_pooling({"mean": values, "max": values}, splits, "train")
    assert poolings == ["mean"] * 3


def test_opposed_latents_keep_their_sign_and_ties_go_to_the_first():
    truth = np.arange(30)[:, None] % 3 == 0
    latents = np.column_stack([np.ones(30), ~truth[:, 0], truth[:, 0], ~truth[:, 0]]).astype(float)
    chosen = select_latents({"validation": latents}, {"validation": split_labels("v", truth)}, "validation")
    assert (chosen.latent.tolist(), chosen.sign.tolist(), chosen.auc.tolist()) == ([1], [-1.0], [1.0])
    assert roc_auc(chosen.scores(latents), truth)[0] == 1.0


def test_prevalence_is_the_training_share_among_labelled(splits):
    train = splits["train"]
    expected = [train.labels[train.labelled[:, j], j].mean() for j in range(3)]
    np.testing.assert_allclose(prevalence_scores(splits)["validation"], np.tile(expected, (60, 1)))


@pytest.mark.parametrize("learnt", ["train", "validation"])
def test_shuffling_moves_whole_label_vectors_outside_test(splits, learnt):
    shuffled = shuffle_labels(splits, seed=0)
    before, after = splits[learnt], shuffled[learnt]
    assert not np.array_equal(before.labels, after.labels)
    rows = np.hstack([before.labels, before.labelled]).astype(int)
    assert sorted(map(tuple, rows)) == sorted(
        map(tuple, np.hstack([after.labels, after.labelled]).astype(int))
    )
    assert shuffled["test"] is splits["test"]
    np.testing.assert_array_equal(after.labels, shuffle_labels(splits, seed=0)[learnt].labels)
