"""Score rows: what is selected is selected on validation, and the floors are floors."""

import numpy as np
import pytest

from protsae.metrics.ranking import pairwise_auc, roc_auc
from protsae.probing.scores import prevalence_scores, select_latents
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


def test_latent_is_chosen_on_validation_not_test():
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


def test_opposed_latents_keep_their_sign_and_ties_go_to_the_first():
    truth = np.arange(30)[:, None] % 3 == 0
    latents = np.column_stack([np.ones(30), ~truth[:, 0], truth[:, 0], ~truth[:, 0]]).astype(float)
    chosen = select_latents(latents, truth, np.ones_like(truth))
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
