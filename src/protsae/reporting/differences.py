"""Paired differences between methods: the same resamples of test proteins score both."""

from typing import Any

import pandas as pd

from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.selection import SCORE_METRICS, Cell, macro_scores, score_cell

NOT_SIGNIFICANT = "not significant on this test set"
_BETWEEN = " - "
_MAX_ON_FIRST_SCREEN = 5


def verdict(difference: Cell) -> str:
    """Return whether the first method is higher or lower, or that the interval of the difference holds 0."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return "no interval"
    return "higher" if low > 0 else "lower" if high < 0 else NOT_SIGNIFICANT


def signed(value: float | None, digits: int = 3) -> str:
    """Format a difference with its sign, a dash where there is none."""
    return "–" if value is None else f"{value:+z.{digits}f}".replace("-", "−")


def fixed(value: float | None, digits: int = 3) -> str:
    """Format a score with fixed decimals and without a sign of zero, a dash where there is none."""
    return "–" if value is None else f"{value:z.{digits}f}".replace("-", "−")


def difference_between(
    differences: pd.DataFrame, first: str, second: str, metric: str, split: str = "test"
) -> Cell | None:
    """Return the paired difference of two methods over the aspects, whichever way round it was measured."""
    found = macro_scores(differences, metric, split)
    row, reverse = found.get(f"{first}{_BETWEEN}{second}"), found.get(f"{second}{_BETWEEN}{first}")
    if row is not None:
        return score_cell(row)
    return None if reverse is None else _negated(score_cell(reverse))


def _negated(cell: Cell) -> Cell:
    value, low, high = (None if number is None else -number for number in cell.values())
    return {"value": value, "low": high, "high": low}


def paired_rows(
    differences: pd.DataFrame, dictionaries: Dictionaries, split: str = "test"
) -> list[dict[str, Any]]:
    """Return one record per pair of methods, in the table's order.

    Each record holds `first` and `second` (labels, the second for the middle of a sentence), `methods` (both
    names), `scores` (metric to its cell) and `verdict`, that of AUC.
    """
    scores = {metric: macro_scores(differences, metric, split) for metric in SCORE_METRICS}
    rows = []
    for pair in dict.fromkeys(differences["method"]):
        first, _, second = str(pair).partition(_BETWEEN)
        cells = {metric: score_cell(scores[metric].get(pair, {})) for metric in SCORE_METRICS}
        if second and any(cell["value"] is not None for cell in cells.values()):
            rows.append(
                {
                    "methods": (first, second),
                    "first": dictionaries.method_label(first),
                    "second": dictionaries.label_in_text(second),
                    "scores": cells,
                    "verdict": verdict(cells["auc"]),
                }
            )
    return rows


def leading_pairs(rows: list[dict[str, Any]], dictionaries: Dictionaries) -> list[dict[str, Any]]:
    """Return the pairs of the first screen: the subject against others, or the first pairs there are."""
    own = set(dictionaries.methods(dictionaries.subject))
    chosen = [row for row in rows if row["methods"][0] in own and row["methods"][1] not in own]
    return (chosen or rows)[:_MAX_ON_FIRST_SCREEN]


def in_words(difference: Cell) -> str:
    """Return a difference with its interval, and whether it is significant."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return signed(difference["value"])
    found = f"{signed(difference['value'])} ({signed(low)} to {signed(high)})"
    return f"{found}, {NOT_SIGNIFICANT}" if verdict(difference) == NOT_SIGNIFICANT else found
