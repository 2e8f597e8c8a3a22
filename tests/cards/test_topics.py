"""Topics, on planted latents and against a slow version."""

import numpy as np
import pandas as pd
import pytest

from protsae.cards.config import TopicsConfig
from protsae.cards.topics import fit_emission, merge_topics, topic_atoms, topic_table, word_vectors

CONFIG = TopicsConfig(min_proteins=2, n_dimensions=4)


def log_likelihood(counts, theta, emission, background):
    common = counts.sum(axis=0) / counts.sum()
    idf = np.log(len(counts) / counts.sum(axis=0))
    total = 0.0
    for row, share in zip(counts, theta, strict=True):
        for w in np.flatnonzero(row):
            p = background * common[w] + (1 - background) * sum(
                share[k] * emission[k, w] for k in range(len(share))
            )
            total += idf[w] / idf.max() * np.log(p)
    return total


def test_emission_maximises_the_likelihood():
    generator = np.random.default_rng(0)
    counts = (generator.random((30, 6)) < 0.4).astype(float)
    counts[0] = 1
    theta = generator.dirichlet([1] * 4, 30)
    values = [log_likelihood(counts, theta, fit_emission(counts, theta, 0.3, n), 0.3) for n in (0, 1, 5, 300)]
    assert values == sorted(values)
    best = fit_emission(counts, theta, 0.3, 300)
    np.testing.assert_allclose(best.sum(axis=1), 1)
    for _ in range(20):  # no other rows nearby do better
        other = best * np.exp(0.05 * generator.normal(size=best.shape))
        other /= other.sum(axis=1, keepdims=True)
        assert log_likelihood(counts, theta, other, 0.3) < values[-1] + 1e-6


@pytest.fixture
def planted():
    """Three themes of two concepts and two latents each; the last latent is dead."""
    generator = np.random.default_rng(0)
    ids = [f"P{i:02d}" for i in range(60)]
    theme = np.arange(60) % 3
    codes = 0.02 * generator.random((60, 7))
    for latent in range(6):
        codes[theme == latent // 2, latent] += 1
    codes[:, 6] = 0
    carried = [(p, f"T:{2 * t + k}") for p, t in zip(ids, theme, strict=True) for k in (0, 1)]
    return {
        "encoding": pd.DataFrame({"protein_id": ids, "mean_latents": list(codes)}),
        "proteins": pd.DataFrame({"protein_id": ids, "split": "train"}),
        "carried": pd.DataFrame(carried, columns=["protein_id", "concept_id"]),
        "terms": pd.DataFrame({"term_id": [f"T:{i}" for i in range(6)]}),
    }


def test_latents_of_one_theme_are_one_topic(planted):
    atoms = topic_atoms(**planted, config=CONFIG)
    topic = merge_topics(atoms, 3)
    assert topic[6] == -1 and sorted({*topic[:6].tolist()}) == [0, 1, 2]
    assert all(topic[2 * t] == topic[2 * t + 1] for t in range(3))
    assert {*atoms["words"][0].split(";")} >= {"T:0", "T:1"}
    table = topic_table(atoms, topic, {"T:0": "zinc"})
    assert table["n_latents"].tolist() == [2, 2, 2] and "zinc" in table["words"][topic[0]]
    assert table["weight"].sum() == pytest.approx(1)


def test_any_number_of_topics_comes_from_the_same_atoms(planted):
    atoms = topic_atoms(**planted, config=CONFIG)
    assert [len({*merge_topics(atoms, n)[:6].tolist()}) for n in (1, 2, 3)] == [1, 2, 3]
    np.testing.assert_array_equal(merge_topics(atoms, 3), merge_topics(atoms, 3))


def test_labels_of_held_out_proteins_do_not_matter(planted):
    planted["proteins"].loc[30:, "split"] = "test"
    one = topic_atoms(**planted, config=CONFIG)
    planted["carried"] = planted["carried"][planted["carried"]["protein_id"] < "P30"]
    two = topic_atoms(**planted, config=CONFIG)
    np.testing.assert_array_equal(np.stack(one["vector"].tolist()), np.stack(two["vector"].tolist()))


def test_without_words_there_are_no_topics(planted):
    planted["carried"] = planted["carried"].iloc[:0]
    atoms = topic_atoms(**planted, config=CONFIG)
    assert (
        atoms.empty
        and merge_topics(atoms, 5).tolist() == []
        and topic_table(atoms, merge_topics(atoms, 5), {}).empty
    )


def test_vectors_of_words_keep_their_mutual_information():
    counts = np.kron(np.eye(3), np.ones((4, 2)))  # three pairs of words, always together
    vectors = word_vectors(counts, 3)
    np.testing.assert_allclose(vectors @ vectors.T, np.kron(np.eye(3), np.ones((2, 2))), atol=1e-9)
