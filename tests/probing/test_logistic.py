"""All-at-once logistic regression against scikit-learn, one concept at a time."""

import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from protsae.metrics.bootstrap import macro_mean
from protsae.metrics.ranking import roc_auc
from protsae.probing.logistic import choose_probes, fit_path


@pytest.fixture
def case():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(90, 12)) * generator.uniform(0.1, 30, size=12) + 5
    features[:, 3] = 7.0  # constant
    features[:, 4] = 2 * features[:, 5]  # collinear
    truth = (features[:, :4] - features[:, :4].mean(axis=0)) / 10 + generator.normal(size=(90, 4))
    return features, truth > 0.7, generator.random((90, 4)) < 0.85


@pytest.mark.parametrize("l2", [0.001, 0.1, 10.0])
def test_weights_and_logits_equal_scikit_learn(case, l2):
    features, labels, labelled = case
    (probes,) = fit_path(features, labels, labelled, [l2])
    standardised = StandardScaler().fit_transform(features)
    for j in range(labels.shape[1]):
        keep = labelled[:, j]
        oracle = LogisticRegression(
            C=1 / (keep.sum() * l2), solver="newton-cholesky", tol=1e-12, max_iter=10_000
        )
        oracle.fit(standardised[keep], labels[keep, j])
        np.testing.assert_allclose(probes.weights[:, j], oracle.coef_[0], atol=2e-5)
        np.testing.assert_allclose(
            probes.logits(features)[:, j], oracle.decision_function(standardised), atol=5e-5
        )


def test_more_features_than_proteins_equals_scikit_learn():
    generator = np.random.default_rng(1)
    features, labels = generator.normal(size=(40, 100)), generator.random((40, 2)) < 0.4
    strong, weak = fit_path(features, labels, np.ones_like(labels), [0.05, 1.0])
    standardised = StandardScaler().fit_transform(features)
    oracle = LogisticRegression(C=1 / (40 * 0.05), solver="newton-cholesky", tol=1e-12, max_iter=10_000).fit(
        standardised, labels[:, 1]
    )
    np.testing.assert_allclose(weak.logits(features)[:, 1], oracle.decision_function(standardised), atol=5e-5)
    assert np.linalg.norm(strong.weights) < np.linalg.norm(weak.weights)


def test_strength_is_chosen_by_the_proteins_it_is_given(case):
    """The same candidates, judged on labels that agree or disagree with a feature, give different choices."""
    features, labels, labelled = case
    candidates = list(fit_path(features, labels, labelled, [1e-4, 100.0]))
    generator = np.random.default_rng(5)
    held_out = generator.normal(size=(200, 12)) * features.std(axis=0) + features.mean(axis=0)
    for wanted in candidates:
        logits = wanted.logits(held_out)
        target = logits > np.median(logits, axis=0)
        assert choose_probes(candidates, held_out, target, np.ones_like(target)) is wanted


def test_many_proteins_few_features_equals_scikit_learn():
    """Here the Gram matrix is decomposed; two features are the same, one is constant."""
    generator = np.random.default_rng(7)
    features = generator.normal(size=(400, 10)) * generator.uniform(0.1, 30, size=10)
    features[:, 2], features[:, 3] = features[:, 1], 4.0
    labels = (features[:, [0, 1]] / features[:, [0, 1]].std(axis=0) + generator.normal(size=(400, 2))) > 1
    standardised = StandardScaler().fit_transform(features)
    for l2 in (1e-4, 0.1):
        (probes,) = fit_path(features, labels, np.ones_like(labels), [l2])
        (quick,) = fit_path(features, labels, np.ones_like(labels), [l2], precise=False)
        for j in range(2):
            oracle = LogisticRegression(
                C=1 / (400 * l2), solver="newton-cholesky", tol=1e-12, max_iter=10_000
            )
            expected = oracle.fit(standardised, labels[:, j]).decision_function(standardised)
            np.testing.assert_allclose(probes.logits(features)[:, j], expected, atol=5e-5)
            assert np.corrcoef(quick.logits(features)[:, j], expected)[0, 1] > 0.9999
        assert (probes.weights[3] == 0).all()


def test_patience_ends_the_path_and_no_fit_is_made_in_vain(case):
    features, labels, labelled = case
    strengths = [100.0, 10.0, 1.0, 0.1, 0.01, 0.001]
    held_out, held_labels = features[::-1], labels
    made = []

    def counted(candidates):
        for probes in candidates:
            made.append(probes)
            yield probes

    def auc(probes):
        return macro_mean(roc_auc(probes.logits(held_out), held_labels, labelled))[0]

    chosen = choose_probes(
        counted(fit_path(features, labels, labelled, strengths)), held_out, held_labels, labelled, 2
    )
    scores = [auc(probes) for probes in made]
    assert 3 <= len(made) < 6
    assert max(scores[-2:]) <= max(scores[:-2]) == auc(chosen)
    every = choose_probes(fit_path(features, labels, labelled, strengths), held_out, held_labels, labelled)
    assert auc(every) >= auc(chosen)
    with pytest.raises(ValueError, match="no candidates"):
        choose_probes([], held_out, held_labels, labelled)


def test_features_that_are_all_constant_give_the_share_of_positives():
    labels = np.arange(30)[:, None] % 3 == 0
    (probes,) = fit_path(np.ones((30, 5)), labels, np.ones_like(labels), [1.0])
    np.testing.assert_allclose(1 / (1 + np.exp(-probes.logits(np.ones((2, 5))))), 1 / 3, atol=1e-6)


def test_one_class_is_refused(case):
    features, labels, labelled = case
    labels = labels.copy()
    labels[:, 2] = False
    with pytest.raises(ValueError, match="concept 2 has one class only"):
        list(fit_path(features, labels, labelled, [1.0]))


def test_fifty_concepts_six_strengths_a_thousand_features_are_fast():
    generator = np.random.default_rng(2)
    features = np.maximum(generator.normal(size=(600, 1024)) - 1, 0) @ np.diag(generator.random(1024))
    labels = (features[:, :50] > np.quantile(features[:, :50], 0.9, axis=0)) | (
        generator.random((600, 50)) < 0.05
    )
    started = time.perf_counter()
    list(fit_path(features, labels, np.ones_like(labels), [0.01, 0.03, 0.1, 0.3, 1.0, 3.0]))
    assert time.perf_counter() - started < 15
