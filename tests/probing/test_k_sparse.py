"""Probes on few latents, against NumPy's correlations and scikit-learn's regressions."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from protsae.probing.config import FewLatentsConfig
from protsae.probing.k_sparse import Sample, correlations, fit_logistic, k_sparse_aucs, k_sparse_logits


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)

    def draw(n):
        codes = np.maximum(rng.normal(size=(n, 30)), 0)
        codes[:, 29] = 0
        score = codes[:, :3] @ np.array([[2.0, 0, -1.0], [0, 1.0, 0], [1.0, 0, 0]])
        labels = rng.random((n, 3)) < 1 / (1 + np.exp(1.5 - score))
        return Sample(codes, labels, rng.random((n, 3)) < [1.0, 0.8, 0.8])

    return draw(300), draw(200)


def judged(train, test, config, *resamples):
    return k_sparse_aucs({"train": train, "test": test}, "train", config, *resamples)


def test_correlations_equal_numpy_over_labelled_samples(samples):
    train, _ = samples
    found = correlations(train)
    for concept in range(3):
        rows = train.labelled[:, concept]
        for latent in range(29):
            expected = np.corrcoef(train.codes[rows, latent], train.labels[rows, concept])[0, 1]
            assert found[latent, concept] == pytest.approx(expected, abs=1e-10)
    assert (found[29] == 0).all()


def test_auc_equals_scikit_learn_on_the_chosen_latents(samples):
    train, test = samples
    config = FewLatentsConfig(sizes=(1, 5), l2=0.02)
    for k, latents, auc, resampled in judged(train, test, config):
        assert resampled.shape == (0, 3)
        for concept in range(3):
            rows, others = train.labelled[:, concept], test.labelled[:, concept]
            columns = latents[concept]
            assert len(columns) == k
            assert set(columns) == set(np.argsort(-np.abs(correlations(train)[:, concept]))[:k])
            x = train.codes[rows][:, columns]
            mean, scale = x.mean(axis=0), x.std(axis=0)
            fitted = LogisticRegression(C=1 / (rows.sum() * 0.02), tol=1e-10, max_iter=1000)
            fitted.fit((x - mean) / scale, train.labels[rows, concept])
            scores = fitted.decision_function((test.codes[others][:, columns] - mean) / scale)
            assert auc[concept] == pytest.approx(
                roc_auc_score(test.labels[others, concept], scores), abs=1e-6
            )


def test_sparse_codes_give_what_dense_ones_give(samples):
    train, test = samples
    thin = [Sample(sparse.csr_matrix(s.codes).tocsc(), s.labels, s.labelled) for s in samples]
    for one, two in zip(
        judged(train, test, FewLatentsConfig()), judged(*thin, FewLatentsConfig()), strict=True
    ):
        np.testing.assert_array_equal(one[1], two[1])
        np.testing.assert_allclose(one[2], two[2], atol=1e-12)


def test_resamples_count_each_row_as_often_as_its_protein_was_drawn(samples):
    train, test = samples
    owner = np.arange(200) // 8
    weights = np.random.default_rng(5).multinomial(25, np.full(25, 1 / 25), size=3)
    (found,) = judged(train, test, FewLatentsConfig(sizes=(2,)), weights, owner)
    for drawn, aucs in zip(weights, found.resampled, strict=True):
        rows = np.repeat(np.arange(200), drawn[owner])
        repeated = Sample(test.codes[rows], test.labels[rows], test.labelled[rows])
        (expected,) = judged(train, repeated, FewLatentsConfig(sizes=(2,)))
        np.testing.assert_allclose(aucs, expected.auc, atol=1e-12)


def test_weights_equal_scikit_learn_also_where_classes_part(samples):
    rng = np.random.default_rng(3)
    features = rng.normal(size=(2, 80, 3))
    truth = np.stack([features[0, :, 0] > 0, rng.random(80) < 0.3])
    weights = fit_logistic(features, truth, np.full((2, 80), 1 / 80), 0.001)
    for problem in range(2):
        fitted = LogisticRegression(C=1 / (80 * 0.001), tol=1e-12, max_iter=5000)
        fitted.fit(features[problem], truth[problem])
        np.testing.assert_allclose(weights[problem, :3], fitted.coef_[0], rtol=1e-3, atol=1e-4)
        assert weights[problem, 3] == pytest.approx(fitted.intercept_[0], abs=1e-3)


def test_a_concept_of_one_class_has_no_auc(samples):
    train, test = samples
    one = Sample(train.codes, train.labels & [True, False, True], train.labelled)
    (found,) = judged(one, test, FewLatentsConfig(sizes=(2,)))
    assert np.isnan(found.auc).tolist() == [False, True, False]


def test_latents_are_chosen_by_the_selection_and_fitted_on_training():
    """Latent 0 tells the concept in training alone, latent 1 in validation alone, latent 2 in both."""
    rng = np.random.default_rng(4)
    truth = np.arange(200)[:, None] % 2 == 0
    known = np.ones_like(truth)

    def sample(*strength):
        return Sample(truth * np.array(strength) + rng.normal(size=(200, 3)), truth, known)

    samples = {"train": sample(4, 0, 2), "validation": sample(0, 4, 2), "test": sample(0, 0, 2)}
    config = FewLatentsConfig(sizes=(1,))
    for selection, latent in (("train", 0), ("validation", 1), ("train_and_validation", 2)):
        (found,) = k_sparse_aucs(samples, selection, config)
        assert found.latents.tolist() == [[latent]], selection
    x = samples["train"].codes[:, [2]]
    fitted = LogisticRegression(C=1 / (200 * config.l2), tol=1e-10).fit((x - x.mean()) / x.std(), truth[:, 0])
    together = Sample.joined([samples["train"], samples["validation"]])
    ((k, _, (logits,)),) = k_sparse_logits(together, samples["train"], [samples["test"]], config)
    expected = fitted.decision_function((samples["test"].codes[:, [2]] - x.mean()) / x.std())
    np.testing.assert_allclose(logits[:, 0], expected, atol=1e-5)
    assert k == 1
