"""Tables as the objects of data files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from protsae.explorer.literals import rounded
from protsae.reporting.selection import blank

DIGITS = 4
"""Significant digits of a number that is shown."""


def plain(value: Any) -> Any:
    """Return a table's cell as JSON holds it: numbers with few digits, lists, texts, None where empty."""
    if isinstance(value, np.ndarray | list | tuple):
        array = np.asarray(value)
        if array.dtype.kind == "f":
            return rounded(array, DIGITS)
        return [plain(item) for item in value]
    if blank(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return rounded([value], DIGITS)[0]
    return value if isinstance(value, bool | int) else str(value)


def records(table: pd.DataFrame, columns: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Return rows as objects under the names of their columns."""
    names = [str(name) for name in (table.columns if columns is None else columns)]
    converted = [_column(table[name]) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*converted, strict=True)]


def _column(column: pd.Series) -> list[Any]:
    if column.dtype.kind == "f":
        return rounded(column.to_numpy(np.float64), DIGITS)
    return [plain(value) for value in column.tolist()]


def by_key(rows: Sequence[dict[str, Any]], keys: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """Return rows by the key that belongs to each, in their order."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row, key in zip(rows, keys, strict=True):
        found.setdefault(int(key), []).append(row)
    return found


def cells(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return some cells of a row; None where there is no such column."""
    return {name: plain(row.get(name)) for name in names}


def chunks(n: int, size: int) -> Iterator[tuple[int, range]]:
    """Yield the number of each chunk and its rows."""
    for number, start in enumerate(range(0, n, size)):
        yield number, range(start, min(n, start + size))


class Rows:
    """Rows of a table as objects, converted one at a time from columns that were converted at once."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._columns = {str(name): _column(table[name]) for name in table.columns}

    def __getitem__(self, row: int) -> dict[str, Any]:
        """Return a row."""
        return {name: values[row] for name, values in self._columns.items()}
