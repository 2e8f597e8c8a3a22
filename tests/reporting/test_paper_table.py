"""The paper's Table 1 from a hand-made metrics table."""

import pandas as pd
import pytest

from protsae.metrics.table import metrics_table
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.paper_table import NOT_LISTED, paper_table

DICTIONARIES = Dictionaries({"mine": "protsae", "topk": "topk", "wide": "topk", "gba": "gba"}, "mine", "topk")


def rows(method, base, **about):
    """Metrics of a method: CAFA's and DeepGO's rules differ, and only DeepGO's are the paper's."""
    found = []
    for place, aspect in enumerate(("mean", "BPO", "MFO", "CCO")):
        shared = {"method": method, "aspect": aspect, "split": "test", "supervision": "training", **about}
        for metric, preset, value in [
            ("auc", "", base),
            ("aupr", "", 0.99),
            ("fmax", "cafa", 0.99),
            ("fmax", "deepgo", base - 0.1),
            ("smin", "deepgo", 10 * base),
            ("aupr_curve", "deepgo", base - 0.2),
        ]:
            found.append({**shared, "metric": metric, "preset": preset, "value": value + place / 100})
    return found


@pytest.fixture
def table():
    records = [
        *rows("mine_latent", 0.1, stratum="identity 20-30 %"),
        *rows("mine_latent", 0.7, seed=0, k=16),
        *rows("mine_predictor", 0.8, seed=0, k=16),
        *rows("topk_probe", 0.6, seed=0, k=16),
        *rows("wide_probe", 0.5, seed=1, k=64),
        *rows("linear_probe", 0.75),
    ]
    records += [{**record, "split": "validation", "value": 0.0} for record in rows("mine_latent", 0)]
    return paper_table(metrics_table(records), DICTIONARIES)


def test_rows_are_the_papers_in_its_order_then_the_others(table):
    assert table["row"].tolist() == [
        *("SpLiCE", "Naive SAE", "Gated SAE", "TopK SAE", "TopK SAE", "Linear probe"),
        *("ProtSAE", "ProtSAE", "gba"),
    ]
    assert table["dictionary"].fillna("").tolist() == ["", "", "", "topk", "wide", "", "mine", "mine", ""]
    assert table["score"].fillna("").tolist() == ["", "", "", "probe", "probe", "", "latent", "predictor", ""]
    assert table["note"].fillna("").tolist() == [*[NOT_LISTED] * 3, "", "", "", "", "", "not scored"]


def test_cells_are_by_the_rules_of_deepgo_on_all_test_proteins(table):
    own = table[(table["dictionary"] == "mine") & (table["score"] == "latent")].iloc[0]
    expected = {"fmax": 0.6, "smin": 7.0, "aupr": 0.5, "auc": 0.7}
    for metric, value in expected.items():
        for place, part in enumerate(("mean", "BPO", "MFO", "CCO")):
            assert own[f"{metric}_{part}"] == pytest.approx(value + place / 100)
    assert (own["seed"], own["k"], own["supervision"]) == (0, 16, "training")
    linear = table[table["row"] == "Linear probe"].iloc[0]
    assert linear["auc_mean"] == pytest.approx(0.75)
    assert pd.isna(linear["k"])


def test_what_was_not_measured_is_empty():
    records = [record for record in rows("mine_latent", 0.7) if record["preset"] != "deepgo"]
    table = paper_table(metrics_table(records), DICTIONARIES)
    own = table[table["dictionary"] == "mine"].iloc[0]
    assert own["auc_BPO"] == pytest.approx(0.71)
    assert own[["fmax_mean", "smin_mean", "aupr_mean"]].isna().all()
