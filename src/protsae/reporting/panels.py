"""Figures of several panels with one legend, and the bars of intervals."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from plotly.subplots import make_subplots

from protsae.reporting.selection import rounded


class Panels:
    """A grid of panels. What is drawn in several of them has one entry in the legend.

    Args:
        titles: one per panel, empty for none.
        n_columns: panels in a row; None: all.
        layout: other arguments of `plotly.subplots.make_subplots`.
    """

    def __init__(self, titles: Sequence[str], n_columns: int | None = None, **layout: Any) -> None:
        self._n_columns = n_columns or len(titles)
        self.n_rows = -(-len(titles) // self._n_columns)
        if n_columns is not None:
            layout["vertical_spacing"] = layout["vertical_spacing"] / self.n_rows
        grid = {"rows": self.n_rows, "cols": self._n_columns, "subplot_titles": list(titles)}
        self.figure = make_subplots(**grid, **layout)
        self.groups: set[str] = set()
        """Those that have an entry in the legend."""

    def add(self, trace: Any, panel: int, group: str) -> None:
        """Add a plotly trace to a panel, counted from 0, under the legend entry of a group."""
        trace.update(legendgroup=group, showlegend=group not in self.groups)
        self.figure.add_trace(trace, **self.place(panel))
        self.groups.add(group)

    def place(self, panel: int) -> dict[str, int]:
        """Return row and column of a panel as plotly counts them."""
        row, column = divmod(panel, self._n_columns)
        return {"row": row + 1, "col": column + 1}


def error_bars(ends: pd.DataFrame, digits: int, **look: Any) -> dict[str, Any]:
    """Return plotly's error bars; a bar that would not reach beyond the value, or has no end, has no length.

    Args:
        ends: three columns: value, low and high.
        digits: decimals of the lengths.
        look: other properties.
    """
    value, low, high = (ends.iloc[:, i].astype(float) for i in range(3))
    lengths = {"array": high - value, "arrayminus": value - low}
    sides = {side: rounded(found.clip(lower=0).fillna(0), digits) for side, found in lengths.items()}
    return {"type": "data", **sides, **look}
