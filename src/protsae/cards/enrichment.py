"""Which concepts the proteins carry that a latent is most active on: scFeatureLens' tests, by cluster.

After Schuster (2024, arXiv 2410.11468): a test of counts among the samples with the highest activations, and
a rank test over all. Here a sample is a homology cluster, so that relatives have one vote: its activation is
the mean over its proteins, and it carries a concept if one of them does. The background are the clusters with
a protein that is labelled in the concept's aspect. The test of counts is hypergeometric (drawn without
replacement), where scFeatureLens takes the binomial approximation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.cards.config import EnrichmentConfig
from protsae.core.seeding import numpy_generator
from protsae.metrics.significance import benjamini_hochberg
from protsae.probing.splits import feature_matrix

Floats = NDArray[np.float64]

COLUMNS = (
    *(
        "latent",
        "concept_id",
        "name",
        "aspect",
        "n_top",
        "n_set",
        "n_background",
        "n_hits",
        "expected",
        "fold",
    ),
    *("hypergeom_p", "direction", "q_value", "z", "mw_p", "effect", "threshold"),
    *("n_proteins_top", "n_proteins_set", "n_proteins_hits"),
)


@dataclass(frozen=True)
class _Aspect:
    """The background of one aspect."""

    acts: Floats
    """Mean activation of each cluster [n_clusters, n_latents]."""
    carries: NDArray[np.bool_]
    """Which concepts each cluster carries [n_clusters, n_concepts]."""
    cluster: NDArray[np.int64]
    """Of each protein [n_proteins]."""
    holds: NDArray[np.bool_]
    """Which concepts each protein carries [n_proteins, n_concepts]."""
    concepts: pd.DataFrame
    """`concept_id`, `name`, `aspect`."""


def enrichment(
    acts: pd.DataFrame,
    proteins: pd.DataFrame,
    carried: pd.DataFrame,
    labelled: pd.DataFrame,
    terms: pd.DataFrame,
    config: EnrichmentConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test every latent against every concept that enough clusters carry.

    Args:
        acts: `protein_id`, `<pooling>_latents`.
        proteins: `protein_id`, `cluster_id`, `split`.
        carried: `protein_id`, `concept_id`, propagated.
        labelled: `protein_id`, `aspect`.
        terms: `term_id`, `name`, `aspect`.
        config: settings.

    Returns:
        The pairs in the columns `COLUMNS`, by latent and q-value, and `n_tests`, `n_kept` and `n_kept_floor`
        (when the concepts are permuted over clusters) in one row.
    """
    generator = numpy_generator(config.seed, "cards", "enrichment")
    aspects = list(_aspects(acts, proteins, carried, labelled, terms, config))
    tests = [_Tests.of(aspect.acts, aspect.carries, config.top_share) for aspect in aspects]
    shuffled = [
        _count_hits(test.top, aspect.carries[generator.permutation(len(test.top))])[1]
        for aspect, test in zip(aspects, tests, strict=True)
    ]
    q_values, floors = _q_values([test.hypergeom_p for test in tests]), _q_values(shuffled)
    parts = zip(aspects, tests, q_values, strict=True)
    tables = [_kept(aspect, test, q, config.max_q) for aspect, test, q in parts]
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))
    found = found.sort_values(["latent", "q_value", "concept_id"], kind="stable", ignore_index=True)
    n_floor = sum(int((q <= config.max_q).sum()) for q in floors)
    counts = {"n_tests": sum(q.size for q in q_values), "n_kept": len(found), "n_kept_floor": n_floor}
    return found, pd.DataFrame(counts, index=[0])


@dataclass(frozen=True)
class _Tests:
    """Of every latent with every concept of an aspect; arrays [n_latents, n_concepts] unless said."""

    top: NDArray[np.bool_]
    """Clusters with the highest activations [n_clusters, n_latents]."""
    n_hits: NDArray[np.int64]
    expected: Floats
    hypergeom_p: Floats
    """Of that many hits or more."""
    z: Floats
    """Of the rank test, with corrections for ties and continuity; positive: higher on carriers."""
    mw_p: Floats
    """Two-sided."""
    effect: Floats
    """Chance that a carrier has the higher activation: U / (n_set n_others), ties counting half."""

    @classmethod
    def of(cls, acts: Floats, carries: NDArray[np.bool_], top_share: float) -> "_Tests":
        """Test activations [n_clusters, n_latents] against concepts [n_clusters, n_concepts]."""
        from scipy.stats import norm, rankdata

        n = len(acts)
        order = np.argsort(-acts, axis=0, kind="stable")[: max(1, round(top_share * n))]
        top = np.zeros(acts.shape, bool)
        np.put_along_axis(top, order, np.take_along_axis(acts, order, axis=0) > 0, axis=0)
        n_hits, p_value = _count_hits(top, carries)
        n_set = carries.sum(axis=0)
        rank = rankdata(acts, axis=0)
        u = rank.T @ carries - n_set * (n_set + 1) / 2
        pairs = n_set * (n - n_set)
        spread = np.sqrt(pairs / 12 * (n + 1 - _ties(rank) / max(n * (n - 1), 1))[:, None])
        away = u - pairs / 2
        z = np.divide(
            np.sign(away) * np.maximum(np.abs(away) - 0.5, 0), spread, out=np.zeros_like(u), where=spread > 0
        )
        expected = np.outer(top.sum(axis=0), n_set) / n
        return cls(top, n_hits, expected, p_value, z, 2 * norm.sf(np.abs(z)), u / np.maximum(pairs, 1))


def _count_hits(top: NDArray[np.bool_], carries: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Floats]:
    """Return how many of the top clusters of each latent carry each concept, and the p-values."""
    n_hits = (top.T.astype(np.float32) @ carries.astype(np.float32)).astype(np.int64)
    sizes = (carries.sum(axis=0)[None, :], top.sum(axis=0)[:, None])
    return n_hits, hypergeometric_tail(n_hits, len(top), *sizes)


def hypergeometric_tail(n_hits: Any, n: int, n_set: Any, n_top: Any) -> Floats:
    """Return the probability of `n_hits` or more members of a set of `n_set` among `n_top` of `n`, drawn
    without replacement; arguments are broadcast."""
    from scipy.stats import hypergeom

    given = np.stack(np.broadcast_arrays(n_hits, n_set, n_top), axis=-1)
    key = (given[..., 0] * (n + 1) + given[..., 1]) * (n + 1) + given[..., 2]
    cases, which = np.unique(key, return_inverse=True)  # few; scipy takes its time
    rest, top = np.divmod(cases, n + 1)
    hits, members = np.divmod(rest, n + 1)
    return np.asarray(hypergeom.sf(hits - 1, n, members, top), np.float64)[which].reshape(key.shape)


def _ties(rank: Floats) -> Floats:
    """Return the sum of t^3 - t over groups of t tied values of each column."""
    found = np.zeros(rank.shape[1])
    for column in range(rank.shape[1]):
        sizes = np.unique(rank[:, column], return_counts=True)[1].astype(np.float64)
        found[column] = (sizes**3 - sizes).sum()
    return found


def _q_values(p_values: list[Floats]) -> list[Floats]:
    """Return Benjamini-Hochberg's q-values, all aspects together."""
    joined = np.concatenate([np.empty(0), *(p.ravel() for p in p_values)])
    ends = np.cumsum([p.size for p in p_values], dtype=np.int64)
    parts = np.split(benjamini_hochberg(joined), ends[:-1])
    return [q.reshape(p.shape) for q, p in zip(parts, p_values, strict=False)]


def _aspects(
    acts: pd.DataFrame,
    proteins: pd.DataFrame,
    carried: pd.DataFrame,
    labelled: pd.DataFrame,
    terms: pd.DataFrame,
    config: EnrichmentConfig,
) -> Iterator[_Aspect]:
    """Yield the aspects that have a concept to test."""
    used = proteins[proteins["split"].isin(config.splits) & proteins["protein_id"].isin(acts["protein_id"])]
    cluster_of = dict(zip(used["protein_id"], used["cluster_id"].astype(str), strict=True))
    terms = terms.drop_duplicates("term_id")
    for aspect, own in terms.sort_values("term_id").groupby("aspect", sort=True):
        known = labelled.loc[labelled["aspect"] == aspect, "protein_id"].unique()
        ids = sorted(name for name in known if name in cluster_of)
        holds = np.zeros((len(ids), len(own)), bool)
        row = pd.Index(ids, dtype=object).get_indexer(pd.Index(carried["protein_id"].astype(object)))
        column = pd.Index(own["term_id"]).get_indexer(pd.Index(carried["concept_id"]))
        inside = (row >= 0) & (column >= 0)
        holds[row[inside], column[inside]] = True
        cluster, names = pd.factorize(np.array([cluster_of[name] for name in ids], object), sort=True)
        member = np.zeros((len(names), len(ids)))
        member[cluster, np.arange(len(ids))] = 1
        carries = member @ holds > 0
        n_set = carries.sum(axis=0)
        kept = (n_set >= config.min_clusters) & (n_set <= config.max_share * len(names))
        if kept.any():
            of_proteins = feature_matrix(acts, f"{config.pooling}_latents", ids).astype(np.float64)
            means = member @ of_proteins / member.sum(axis=1, keepdims=True)
            concepts = own.loc[kept, ["term_id", "name", "aspect"]].rename(columns={"term_id": "concept_id"})
            yield _Aspect(means, carries[:, kept], cluster, holds[:, kept], concepts.reset_index(drop=True))


def _kept(aspect: _Aspect, tests: _Tests, q_value: Floats, max_q: float) -> pd.DataFrame:
    """Return the pairs up to a q-value."""
    latent, concept = np.nonzero(q_value <= max_q)
    at = (latent, concept)
    lowest = np.where(tests.top, aspect.acts, np.inf).min(axis=0)
    of_proteins = tests.top[aspect.cluster].astype(np.float32)  # counts are exact
    hits = (of_proteins.T @ aspect.holds.astype(np.float32)).astype(np.int64)
    found = pd.DataFrame(
        {
            "latent": latent.astype(np.int32),
            "n_top": tests.top.sum(axis=0)[latent],
            "n_set": aspect.carries.sum(axis=0)[concept],
            "n_background": len(aspect.acts),
            "n_hits": tests.n_hits[at],
            "expected": tests.expected[at],
            "fold": tests.n_hits[at] / np.maximum(tests.expected[at], 1e-12),
            "hypergeom_p": tests.hypergeom_p[at],
            "direction": np.where(tests.z[at] > 0, "higher", "lower"),
            "q_value": q_value[at],
            "z": tests.z[at],
            "mw_p": tests.mw_p[at],
            "effect": tests.effect[at],
            "threshold": lowest[latent],
            "n_proteins_top": of_proteins.sum(axis=0)[latent].astype(np.int64),
            "n_proteins_set": aspect.holds.sum(axis=0)[concept],
            "n_proteins_hits": hits[at],
        }
    )
    named = aspect.concepts.iloc[concept].reset_index(drop=True)
    return found.join(named)[list(COLUMNS)]
