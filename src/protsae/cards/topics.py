"""Topics: latents as atoms of topics of proteins, merged to any number of topics without training again.

After SAE-TM (arXiv 2511.16309). A document is a protein and a word a concept that it carries. The share of
latent k in a protein is theta_k = mean code of k / sum of mean codes. A latent emits words: the
probability of a word in a protein is

    p(w) = pi p0(w) + (1 - pi) sum_k theta_k B_kw

with p0 the frequencies of words over proteins and pi = 0.3. B maximises the sum over training proteins and
their words of idf_w log p(w), idf scaled to at most 1, by expectation maximisation; the dictionary stays as
it is. A latent's vector is the mean of its words' vectors by B, those of its most likely words up to a mass
of 0.9; k-means over these vectors, weighted by mean theta, merges latents to topics. Vectors of words come
from a singular value decomposition of how often two words occur in one protein (PPMI), where SAE-TM takes
word2vec.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.cards.config import TopicsConfig
from protsae.core.seeding import derive_seed
from protsae.probing.splits import feature_matrix

Floats = NDArray[np.float64]


def topic_atoms(
    encoding: pd.DataFrame,
    proteins: pd.DataFrame,
    carried: pd.DataFrame,
    terms: pd.DataFrame,
    config: TopicsConfig,
) -> pd.DataFrame:
    """Return one row per latent: `latent`, `weight` (mean theta over training proteins), `words` (ids of its
    three most likely words, by probability over the background's, `;`-joined), `vector` (list).

    Without words, that is without concepts that enough training proteins carry, there are no rows.

    Args:
        encoding: `protein_id`, `mean_latents`.
        proteins: `protein_id`, `split`.
        carried: `protein_id`, `concept_id`.
        terms: `term_id`: concepts that may be words.
        config: settings.
    """
    of_training = proteins.loc[proteins["split"] == "train", "protein_id"]
    ids = sorted(of_training[of_training.isin(encoding["protein_id"])].astype(str))
    counts, words = _words(ids, carried, terms, config)
    if not len(words):
        return pd.DataFrame(columns=["latent", "weight", "words", "vector"])
    theta = feature_matrix(encoding, "mean_latents", ids).astype(np.float64)
    theta /= np.maximum(theta.sum(axis=1, keepdims=True), 1e-12)
    emission = fit_emission(counts, theta, config.background, config.n_steps)
    vectors = word_vectors(counts, config.n_dimensions)
    weight = theta.mean(axis=0)
    top = _top_mass(emission, config.mass)
    lift = np.where(top > 0, emission / np.maximum(counts.sum(axis=0) / counts.sum(), 1e-12), 0)
    best = np.argsort(-lift, axis=1, kind="stable")[:, :3]
    return pd.DataFrame(
        {
            "latent": np.arange(len(weight), dtype=np.int32),
            "weight": weight,
            "words": [";".join(words[own]) if w > 0 else "" for own, w in zip(best, weight, strict=True)],
            "vector": list((top @ vectors).astype(np.float32)),
        }
    )


def _words(
    ids: list[str], carried: pd.DataFrame, terms: pd.DataFrame, config: TopicsConfig
) -> tuple[Floats, NDArray[Any]]:
    """Return which words each protein has, 0 or 1 [n_proteins, n_words], and the words' ids, sorted."""
    pairs = carried[carried["protein_id"].isin(set(ids)) & carried["concept_id"].isin(set(terms["term_id"]))]
    pairs = pairs[["protein_id", "concept_id"]].astype(str).drop_duplicates()
    n = pairs["concept_id"].value_counts()
    n = n[(n >= config.min_proteins) & (n <= config.max_share * len(ids))]
    kept = n.sort_index().sort_values(ascending=False, kind="stable").index[: config.max_words]
    words = np.sort(kept.to_numpy(object))
    column = pd.Index(words).get_indexer(pd.Index(pairs["concept_id"]))
    row = pd.Index(ids).get_indexer(pd.Index(pairs["protein_id"]))
    counts = np.zeros((len(ids), len(words)))
    counts[row[column >= 0], column[column >= 0]] = 1
    return counts, words


def fit_emission(counts: Floats, theta: Floats, background: float, n_steps: int) -> Floats:
    """Return the emission of words B by expectation maximisation; rows sum to 1 [n_latents, n_words].

    Args:
        counts: words of each protein [n_proteins, n_words], each word in some protein.
        theta: shares of latents [n_proteins, n_latents].
        background: pi.
        n_steps: from B all equal to the background.
    """
    frequency = counts.sum(axis=0)
    idf = np.log(len(counts) / frequency)
    weighted = counts * (idf / idf.max() if idf.max() > 0 else 1.0)
    common = frequency / frequency.sum()
    used = theta.sum(axis=0) > 0
    share = theta[:, used]
    emission = np.tile(common, (share.shape[1], 1))
    for _ in range(n_steps):
        expected = background * common + (1 - background) * (share @ emission)
        emission *= share.T @ np.divide(weighted, expected, out=np.zeros_like(expected), where=expected > 0)
        emission /= np.maximum(emission.sum(axis=1, keepdims=True), 1e-300)
    found = np.tile(common, (theta.shape[1], 1))
    found[used] = emission
    return found


def word_vectors(counts: Floats, n_dimensions: int) -> Floats:
    """Return vectors of words of unit length [n_words, at most n_dimensions]: the decomposition of their
    positive pointwise mutual information over proteins; a word that is alone has the vector 0."""
    together = counts.T @ counts
    n, of_word = len(counts), counts.sum(axis=0)
    ratio = together * n / np.maximum(np.outer(of_word, of_word), 1e-12)
    ppmi = np.maximum(np.log(np.where(ratio > 0, ratio, 1)), 0)
    values, vectors = np.linalg.eigh(ppmi)
    found = vectors[:, -n_dimensions:] * np.sqrt(np.maximum(values[-n_dimensions:], 0))
    signs = np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])])
    found = found * np.where(signs < 0, -1, 1)  # eigenvectors have no sign of their own
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    scaled: Floats = np.divide(found, norms, out=np.zeros_like(found), where=norms > 1e-9)
    return scaled


def _top_mass(emission: Floats, mass: float) -> Floats:
    """Return each row with its largest entries alone, as many as reach `mass`, scaled to sum 1."""
    order = np.argsort(-emission, axis=1, kind="stable")
    ranked = np.take_along_axis(emission, order, axis=1)
    ranked[np.cumsum(ranked, axis=1) - ranked >= mass] = 0
    found = np.zeros_like(emission)
    np.put_along_axis(found, order, ranked, axis=1)
    total: Floats = found / np.maximum(found.sum(axis=1, keepdims=True), 1e-300)
    return total


def merge_topics(atoms: pd.DataFrame, n_topics: int, seed: int = 0) -> NDArray[np.int64]:
    """Merge latents to topics, numbered by weight from the largest [n_atoms]; -1 for latents that are never
    active on training proteins.

    Args:
        atoms: see `topic_atoms`.
        n_topics: how many; fewer if there are fewer different vectors.
        seed: of k-means.
    """
    from sklearn.cluster import KMeans

    weight = atoms["weight"].to_numpy(np.float64)
    used = np.flatnonzero(weight > 0)
    topic = np.full(len(atoms), -1)
    if not len(used):
        return topic
    vectors = np.stack(atoms["vector"].iloc[used].tolist()).astype(np.float64)
    n = min(n_topics, len(np.unique(vectors, axis=0)))
    means = KMeans(n, n_init=3, random_state=derive_seed(seed, "topics") % 2**32)
    label = means.fit_predict(vectors, sample_weight=weight[used])
    order = np.argsort(-np.bincount(label, weight[used], minlength=n), kind="stable")
    topic[used] = np.argsort(order)[label]
    return topic


def topic_table(atoms: pd.DataFrame, topic: NDArray[np.int64], names: dict[str, str]) -> pd.DataFrame:
    """Return one row per topic: `topic`, `n_latents`, `weight` (sum of theta), `words` (names of the five
    most frequent among the words of its latents, by weight).

    Args:
        atoms: see `topic_atoms`.
        topic: of each latent.
        names: word to name.
    """
    rows = []
    for number in range(int(topic.max(initial=-1)) + 1):
        own = atoms[topic == number]
        votes: dict[str, float] = {}
        for words, weight in zip(own["words"], own["weight"], strict=True):
            for word in words.split(";"):
                votes[word] = votes.get(word, 0.0) + weight
        best = sorted(votes, key=lambda word: (-votes[word], word))[:5]
        rows.append((number, len(own), own["weight"].sum(), "; ".join(names.get(w, w) for w in best)))
    return pd.DataFrame(rows, columns=["topic", "n_latents", "weight", "words"])
