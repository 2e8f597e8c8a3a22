"""Enrichment, against scipy's tests one pair at a time."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact, hypergeom, mannwhitneyu

from protsae.cards.config import EnrichmentConfig
from protsae.cards.enrichment import COLUMNS, enrichment, hypergeometric_tail

CONFIG = EnrichmentConfig(max_q=1.0, min_clusters=3, max_share=1.0, top_share=0.2)
N = 60


@pytest.fixture
def tables():
    """Sixty clusters, the first ten of two proteins; latent 0 follows concept A, latent 3 is dead."""
    generator = np.random.default_rng(0)
    clusters = np.concatenate([np.repeat(np.arange(10), 2), np.arange(10, N)])
    ids = [f"P{i:02d}" for i in range(len(clusters))]
    acts = generator.integers(0, 8, (len(ids), 4)) / 8  # with ties, means exact
    carries_a = clusters % 5 == 0
    acts[carries_a, 0] += 0.5
    acts[:, 3] = 0
    carried = [(p, "A") for p, has in zip(ids, carries_a, strict=True) if has]
    carried += [(p, "B") for p, c in zip(ids, clusters, strict=True) if c % 7 == 1]
    carried += [(ids[0], "rare")]
    return {
        "acts": pd.DataFrame({"protein_id": ids, "mean_latents": list(acts)}),
        "proteins": pd.DataFrame(
            {"protein_id": ids, "cluster_id": [f"C{c:02d}" for c in clusters], "split": "test"}
        ),
        "carried": pd.DataFrame(carried, columns=["protein_id", "concept_id"]),
        "labelled": pd.DataFrame({"protein_id": ids, "aspect": "MFO"}),
        "terms": pd.DataFrame(
            {"term_id": ["A", "B", "rare"], "name": ["of a", "of b", "of c"], "aspect": "MFO"}
        ),
    }


def slow(tables, latent: int, concept: str) -> dict[str, float]:
    """Return the numbers of one pair, cluster by cluster."""
    table = tables["proteins"].assign(act=[own[latent] for own in tables["acts"]["mean_latents"]])
    holders = set(tables["carried"].loc[tables["carried"]["concept_id"] == concept, "protein_id"])
    table["carries"] = table["protein_id"].isin(holders)
    of_cluster = table.groupby("cluster_id").agg(act=("act", "mean"), carries=("carries", "any"))
    n_top = round(0.2 * len(of_cluster))
    top = of_cluster.sort_values("act", ascending=False, kind="stable").head(n_top)
    hits, members = int(top["carries"].sum()), int(of_cluster["carries"].sum())
    inside, outside = (of_cluster.loc[of_cluster["carries"] == own, "act"] for own in (True, False))
    rank_test = mannwhitneyu(inside, outside, method="asymptotic")
    square = [[hits, members - hits], [n_top - hits, len(of_cluster) - n_top - members + hits]]
    return {
        "n_hits": hits,
        "n_set": members,
        "hypergeom_p": fisher_exact(square, alternative="greater").pvalue,
        "mw_p": rank_test.pvalue,
        "effect": rank_test.statistic / (len(inside) * len(outside)),
        "fold": hits / (n_top * members / len(of_cluster)),
        "threshold": top["act"].min(),
    }


def test_every_pair_equals_scipys_tests(tables):
    found, counts = enrichment(**tables, config=CONFIG)
    assert list(found) == list(COLUMNS)
    assert set(found["concept_id"]) == {"A", "B"}  # `rare` is in one cluster
    assert counts["n_tests"].item() == 4 * 2
    for row in found[found["latent"] < 3].to_dict("records"):
        for name, value in slow(tables, row["latent"], row["concept_id"]).items():
            assert row[name] == pytest.approx(value, rel=1e-9), (row["latent"], row["concept_id"], name)
    dead = found[found["latent"] == 3]
    assert (dead["n_top"] == 0).all() and (dead["hypergeom_p"] == 1).all() and (dead["mw_p"] == 1).all()


def test_q_values_are_benjamini_and_hochbergs_step_up(tables):
    found, _ = enrichment(**tables, config=CONFIG)
    p = np.sort(found["hypergeom_p"].to_numpy())
    expected, least = np.empty(len(p)), 1.0
    for i in range(len(p) - 1, -1, -1):
        least = min(least, p[i] * len(p) / (i + 1))
        expected[i] = least
    np.testing.assert_allclose(np.sort(found["q_value"]), expected)


def test_relatives_have_one_vote(tables):
    found, _ = enrichment(**tables, config=CONFIG)
    row = found[(found["latent"] == 0) & (found["concept_id"] == "A")].iloc[0]
    assert row["n_background"] == N and row["n_set"] == 12 and row["n_proteins_set"] == 2 * 2 + 10
    assert row["direction"] == "higher" and row["q_value"] < 0.05


def test_proteins_not_labelled_in_the_aspect_are_no_background(tables):
    tables["labelled"] = tables["labelled"].iloc[20:]
    found, _ = enrichment(**tables, config=CONFIG)
    assert set(found["n_background"]) == {N - 10}


def test_only_pairs_up_to_the_rate_are_kept_and_the_floor_is_counted(tables):
    found, counts = enrichment(**tables, config=CONFIG.model_copy(update={"max_q": 0.05}))
    assert found[["latent", "concept_id"]].values.tolist() == [[0, "A"]]
    assert counts.to_dict("records") == [{"n_tests": 8, "n_kept": 1, "n_kept_floor": 0}]


def test_without_concepts_there_are_no_rows(tables):
    for name in ("carried", "terms"):
        tables[name] = tables[name].iloc[:0]
    found, counts = enrichment(**tables, config=CONFIG)
    assert found.empty and list(found) == list(COLUMNS) and counts["n_tests"].item() == 0


def test_tail_of_the_hypergeometric_distribution():
    hits = np.arange(6)[:, None]
    found = hypergeometric_tail(hits, 40, 10, np.array([5, 12]))
    np.testing.assert_allclose(found, hypergeom.sf(hits - 1, 40, 10, np.array([5, 12])))
