"""Picking rows out of the long tables that the figures and the page read."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

SCORE_METRICS = ("auc", "aupr", "fmax")
"""Those of scores that the report shows."""
Cell = dict[str, float | None]
"""`value`, `low`, `high`."""


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def blank(value: object) -> bool:
    """Say whether a table cell is empty: None, NaN, NA or an empty string."""
    return value is None or value is pd.NA or value == "" or (isinstance(value, float) and math.isnan(value))


def number(value: object) -> float | None:
    """Return a table cell as a finite float, or None where it is empty or not finite."""
    if blank(value):
        return None
    result = float(value)  # type: ignore[arg-type]
    return result if math.isfinite(result) else None


def rounded(values: Iterable[object], digits: int = 4) -> list[float | None]:
    """Return the numbers of a figure: rounded, None where a value is empty or not finite."""
    found = (number(value) for value in values)
    return [None if value is None else round(value, digits) for value in found]


def text(value: object) -> str:
    """Return a table cell as text; an empty cell gives an empty string."""
    return "" if blank(value) else str(value)


def metric_table(metrics: pd.DataFrame, split: str = "test", stratum: str = "") -> pd.DataFrame:
    """Return the rows of one split over its whole, or over one stratum, one per method, aspect, metric.

    Rows without a split describe the dictionary itself, and belong to every split.

    Of several rule sets (`preset`) or seeds the first by name and number is kept: the report shows one run,
    and `metrics.csv` keeps all rows.
    """
    of_split = (metrics["split"] == split) | metrics["split"].map(blank)
    inside = metrics["stratum"] == stratum if stratum else metrics["stratum"].map(blank)
    ordered = metrics[of_split & inside].sort_values(["preset", "seed"], kind="stable", na_position="first")
    return ordered.drop_duplicates(["method", "aspect", "metric"]).sort_index()


def macro_scores(
    metrics: pd.DataFrame, metric: str, split: str = "test", stratum: str = ""
) -> dict[str, dict[str, Any]]:
    """Return method to its row of one score over the aspects: aspect `mean`, or `all` without one."""
    rows = metric_table(metrics, split, stratum)
    rows = rows[(rows["metric"] == metric) & rows["aspect"].isin(["mean", "all"]) & rows["value"].notna()]
    preferred = rows.sort_values("aspect", ascending=True, kind="stable")  # "mean" overwrites "all"
    return {str(row["method"]): row for row in records(preferred)}


def score_cell(row: Mapping[str, Any]) -> Cell:
    """Return value and interval of a row of metrics, None where there is none."""
    return {name: number(row.get(name)) for name in ("value", "low", "high")}


def with_interval(cell: Mapping[str, float | None]) -> str:
    """Return a score that was measured, and its interval where it has one."""
    low, high = cell["low"], cell["high"]
    interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
    return f"{cell['value']:.3f}{interval}"
