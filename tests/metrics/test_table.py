"""The columns and kinds of the metrics table."""

import io

import pandas as pd
import pytest

from protsae.metrics.table import METRIC_COLUMNS, concat_metrics, metric_rows


def test_rows_carry_every_column_and_leave_empty_what_does_not_apply():
    table = metric_rows(
        {"auc": 0.75, "aupr": 0.5},
        method="linear_probe",
        aspect="MFO",
        split="test",
        n=12,
        intervals={"auc": (0.7, 0.8)},
    )
    assert tuple(table.columns) == METRIC_COLUMNS
    first, second = table.to_csv(index=False).splitlines()[1:]
    assert first == "linear_probe,MFO,test,auc,0.75,12,,,,,,0.7,0.8,"
    assert second == "linear_probe,MFO,test,aupr,0.5,12,,,,,,,,"


def test_concat_keeps_order_kinds_and_survives_a_csv_round_trip():
    one = metric_rows({"fve": 0.9}, method="topk", split="test", k=8, seed=0)
    two = pd.read_csv(io.StringIO(metric_rows({"l0": 8.0}, method="topk").to_csv(index=False)))
    table = concat_metrics([one, metric_rows({}, method="none"), two])
    assert list(table["metric"]) == ["fve", "l0"]
    assert str(table["k"].dtype) == "Int64"
    assert table.loc[0, "k"] == 8
    assert pd.isna(table.loc[1, "k"])
    assert table["aspect"].tolist() == ["", ""]
    assert tuple(concat_metrics([]).columns) == METRIC_COLUMNS


def test_an_unknown_column_is_refused():
    with pytest.raises(TypeError):
        metric_rows({"auc": 0.5}, method="x", colour="red")
