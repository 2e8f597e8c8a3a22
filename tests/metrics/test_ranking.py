"""Ranking metrics against scikit-learn, ties, missing labels and weights included."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from protsae.metrics.ranking import Ranking, average_precision, pairwise_auc, roc_auc


@pytest.fixture
def case():
    generator = np.random.default_rng(1)
    labels = generator.random((120, 9)) < 0.3
    scores = np.round(generator.normal(size=(120, 9)) + labels, 1)  # rounding makes many ties
    scores[:, 8] = 0.25  # nothing but ties
    labelled = generator.random((120, 9)) < 0.8
    return scores, labels, labelled


def test_equal_to_scikit_learn_with_ties_and_missing_labels(case):
    scores, labels, labelled = case
    auc, precision = roc_auc(*case), average_precision(*case)
    for j in range(scores.shape[1]):
        keep = labelled[:, j]
        assert auc[j] == pytest.approx(roc_auc_score(labels[keep, j], scores[keep, j]), abs=1e-12)
        expected = average_precision_score(labels[keep, j], scores[keep, j])
        assert precision[j] == pytest.approx(expected, abs=1e-12)
    assert auc[8] == 0.5
    assert precision[8] == pytest.approx(labels[labelled[:, 8], 8].mean())


def test_weights_equal_repetition_and_batch_over_resamples(case):
    scores, labels, labelled = case
    weights = np.random.default_rng(2).integers(0, 4, size=(3, 120))
    ranking = Ranking(*case)
    auc, precision = ranking.roc_auc(weights), ranking.average_precision(weights)
    for b, counts in enumerate(weights):
        rows = np.repeat(np.arange(120), counts)
        np.testing.assert_allclose(auc[b], roc_auc(scores[rows], labels[rows], labelled[rows]), atol=1e-12)
        again = average_precision(scores[rows], labels[rows], labelled[rows])
        np.testing.assert_allclose(precision[b], again, atol=1e-12)


def test_rows_may_share_a_weight_and_pairs_a_list(case):
    scores, labels, labelled = case
    weights = np.random.default_rng(4).integers(0, 4, size=(3, 40))
    owner = np.arange(120) // 3
    auc, precision = Ranking(*case, owner).areas(weights)
    expected = Ranking(*case).areas(weights[:, owner])
    np.testing.assert_allclose((auc, precision), expected, atol=1e-12)
    micro = Ranking.pooled(*case).areas(weights.repeat(3, axis=1))
    for b, counts in enumerate(weights.repeat(3, axis=1)):
        rows = np.repeat(np.arange(120), counts)
        keep = labelled[rows]
        pairs = labels[rows][keep], scores[rows][keep]
        assert micro[0][b, 0] == pytest.approx(roc_auc_score(*pairs), abs=1e-12)
        assert micro[1][b, 0] == pytest.approx(average_precision_score(*pairs), abs=1e-12)
    fractions = Ranking(*case).areas(weights.repeat(3, axis=1) / 2)  # weights need not be whole numbers
    np.testing.assert_allclose(fractions, Ranking(*case).areas(weights.repeat(3, axis=1)), atol=1e-12)


def test_one_class_gives_nan_not_a_number_out_of_thin_air():
    scores = np.array([[0.1, 0.1, 0.1], [0.2, 0.2, 0.2]])
    labels = np.array([[True, False, True], [True, False, False]])
    np.testing.assert_array_equal(roc_auc(scores, labels), [np.nan, np.nan, 0.0])
    np.testing.assert_array_equal(average_precision(scores, labels), [np.nan, np.nan, 0.5])
    nothing = np.zeros_like(labels)
    assert np.isnan(roc_auc(scores, labels, nothing)).all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="one 2-D shape"):
        roc_auc(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="not numbers"):
        roc_auc(np.array([[np.nan], [1.0]]), np.array([[True], [False]]))


def test_every_feature_against_every_concept_equals_scikit_learn(case):
    scores, labels, labelled = case
    labelled[:, 3:6] = labelled[:, [3]]  # three concepts share their proteins, as those of one aspect do
    found = pairwise_auc(scores, labels, labelled)
    for j in range(labels.shape[1]):
        keep = labelled[:, j]
        expected = [roc_auc_score(labels[keep, j], scores[keep, i]) for i in range(scores.shape[1])]
        np.testing.assert_allclose(found[:, j], expected, atol=1e-12)
    assert np.isnan(pairwise_auc(scores, np.ones_like(labels))).all()
    assert np.isnan(pairwise_auc(scores, labels, np.zeros_like(labels))).all()
    with pytest.raises(ValueError, match="not numbers"):
        pairwise_auc(np.full((2, 1), np.nan), np.ones((2, 1)))
