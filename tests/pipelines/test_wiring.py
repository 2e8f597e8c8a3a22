"""What all stages collect from their dictionaries."""

import pandas as pd

from protsae.metrics.table import metric_rows, metrics_table
from protsae.pipelines.wiring import by_part, stacked, stacked_metrics


def test_rows_that_several_dictionaries_share_stand_once():
    floor = metric_rows({"auc": 0.5}, method="residue_identity", split="test")
    one, other = (metric_rows({"fve": value}, method=str(value), split="test") for value in (0.8, 0.9))
    tables = [floor, metrics_table([]), floor, one, other]
    parts = {f"d{i}__metrics": table for i, table in enumerate(tables)}
    assert stacked_metrics(parts, "metrics")["method"].tolist() == ["residue_identity", "0.8", "0.9"]


def test_parts_are_stacked_in_the_order_of_dictionaries_without_empty_tables():
    assert by_part(["b", "a"], "x", "y") == {"b__x": "b.x", "b__y": "b.y", "a__x": "a.x", "a__y": "a.y"}
    parts = {"b__x": pd.DataFrame({"n": [2]}), "b__y": 0, "a__x": pd.DataFrame({"n": []}, dtype=object)}
    found = stacked({**parts, "c__x": pd.DataFrame({"n": [1]})}, "x")
    assert found["n"].tolist() == [2, 1]
    assert found["n"].dtype == "int64"
    assert list(stacked({}, "x", ["n"]).columns) == ["n"]
