"""The long table of metrics: the one place that spells its columns."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

METRIC_COLUMNS = (
    "method",
    "aspect",
    "split",
    "metric",
    "value",
    "n",
    "seed",
    "hook_point",
    "k",
    "preset",
    "stratum",
    "low",
    "high",
    "supervision",
)
_DTYPES = {
    "value": "float64",
    "n": "Int64",
    "seed": "Int64",
    "k": "Int64",
    "low": "float64",
    "high": "float64",
}


_EMPTY: dict[str, Any] = {
    column: None if column in ("n", "seed", "k") else ""
    for column in METRIC_COLUMNS
    if column not in ("method", "metric", "value", "low", "high")
}
"""Columns of a row that may be left out."""


def metric_records(
    values: Mapping[str, float],
    *,
    method: str,
    intervals: Mapping[str, tuple[float, float]] | None = None,
    **labels: Any,
) -> list[dict[str, Any]]:
    """Return one record per metric of `values`, with the keys of `METRIC_COLUMNS`.

    Args:
        values: metric name to value.
        method: the score row or dictionary that is measured, such as `protsae_latent` or `topk`.
        intervals: metric name to (low, high), for the metrics that have an interval, of the kind that
            `bootstrap.interval_kind` names.
        labels: the other columns, empty where they are not given:
            `aspect`: BPO, MFO, CCO, mean (of the three) or all;
            `split`: train, validation or test;
            `n`: what the value is an average over (concepts for `auc` and `aupr`, proteins for `fmax`,
            residues for `fve`, `l0` and their like);
            `seed`: seed of the training run;
            `hook_point`: where the activations were taken;
            `k`: latents per residue of a TopK dictionary;
            `preset`: rule set of the metric, such as `cafa`;
            `stratum`: part of the split, where it was divided further;
            `supervision`: how the method saw labels: none, selection, probe or training.

    Raises:
        TypeError: the table has no such column.
    """
    if unknown := sorted(set(labels).difference(_EMPTY)):
        raise TypeError(f"the table of metrics has no column {unknown[0]}")
    records = []
    for metric, value in values.items():
        low, high = (intervals or {}).get(metric, (float("nan"), float("nan")))
        own = {"method": method, "metric": metric, "value": value, "low": low, "high": high}
        records.append(own | _EMPTY | labels)
    return records


def by_aspect(aspects: pd.Series) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return each aspect, and `all`, with which rows are of it."""
    each = [(str(name), (aspects == name).to_numpy()) for name in sorted(aspects.unique())]
    return [*each, ("all", np.ones(len(aspects), dtype=bool))]


def metrics_table(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return records as a table in the columns of `METRIC_COLUMNS`, also where there are none."""
    return pd.DataFrame(list(records), columns=list(METRIC_COLUMNS)).astype(_DTYPES)


def metric_rows(values: Mapping[str, float], **labels: Any) -> pd.DataFrame:
    """Return the records of `metric_records`, which says what `labels` may be, as a table."""
    return metrics_table(metric_records(values, **labels))


def stack_tables(tables: Iterable[pd.DataFrame], columns: Iterable[str] = ()) -> pd.DataFrame:
    """Stack tables; without any the result has `columns`.

    Empty tables are left out, because their columns have no types.
    """
    found = list(tables)
    kept = [table for table in found if len(table)] or found[:1] or [pd.DataFrame(columns=list(columns))]
    return pd.concat(kept, ignore_index=True)


def concat_metrics(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Stack metric tables in the order given; an empty list gives an empty table with the right columns."""
    kept = [table for table in tables if len(table)]
    if not kept:
        return metrics_table([])
    filled = [table.reindex(columns=list(METRIC_COLUMNS)).astype(_DTYPES) for table in kept]
    return pd.concat([_with_empty_texts(table) for table in filled], ignore_index=True)


def _with_empty_texts(table: pd.DataFrame) -> pd.DataFrame:
    """Give text columns an empty string where a CSV file gave a missing value."""
    texts = [column for column in METRIC_COLUMNS if column not in _DTYPES]
    return table.assign(**{column: table[column].astype(object).fillna("") for column in texts})
