"""Data files of the explorer: a script that is one call with one JSON literal, escaped by one function."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from protsae.reporting.selection import blank

CALL = "protsaeData"
"""The function of the page that data files call."""
Literal = Any
"""What JSON can hold."""
_ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def literal(value: Literal) -> str:
    """Return a value as a JSON literal that is safe in a script: no `<`, `>`, `&`, no line separators.

    JSON writes these signs in texts only, where an escape means the same.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPES)


def data_file(run: str, name: str, body: str) -> str:
    """Return the text of a data file.

    Args:
        run: id of the run, which the page compares.
        name: what the page asks for.
        body: its value, by `literal`.
    """
    return f"{CALL}({literal(run)},{literal(name)},{body});\n"


def rounded(values: ArrayLike, digits: int = 3) -> list[float | None]:
    """Return numbers with so many significant digits, whole ones as integers; None where one is not
    finite."""
    array = np.asarray(values, np.float64)
    finite = np.isfinite(array)
    safe = np.where(finite & (array != 0), array, 1.0)
    places = digits - 1 - np.floor(np.log10(np.abs(safe))).astype(int)
    # Powers of ten up to 22 are exact, so that the division gives the number nearest to the short decimal.
    up, down = 10.0 ** np.clip(places, 0, 22), 10.0 ** np.clip(-places, 0, 22)
    short = np.rint(array[finite] * up[finite] / down[finite]) / up[finite] * down[finite]
    return _shortest(array, finite, short)


def _shortest(array: NDArray[Any], finite: NDArray[np.bool_], values: NDArray[Any]) -> list[float | None]:
    """Return the finite `values` in their places, 0 in place of 0.0."""
    found = array.astype(object)
    short = values.astype(object)
    is_whole = (values == np.rint(values)) & (np.abs(values) < 2**53)
    short[is_whole] = values[is_whole].astype(np.int64)
    found[finite] = short
    found[~finite] = None
    return found.tolist()  # type: ignore[no-any-return]


def decimals(values: ArrayLike, places: int = 3) -> list[float | None]:
    """Return numbers with so many decimals; None where a number is not finite."""
    array = np.asarray(values, np.float64)
    finite = np.isfinite(array)
    return _shortest(array, finite, np.round(array[finite], places))


def whole(values: ArrayLike) -> list[int]:
    """Return whole numbers."""
    return np.asarray(values, np.int64).tolist()  # type: ignore[no-any-return]


def texts(values: Iterable[object]) -> list[str]:
    """Return texts; an empty cell gives an empty text."""
    return ["" if blank(value) else str(value) for value in values]


def coded(values: Iterable[object]) -> dict[str, list[Any]]:
    """Return texts that repeat as `codes` into the distinct `values`, in the order of their appearance."""
    codes, distinct = pd.factorize(np.array(texts(values), dtype=object))
    return {"codes": codes.tolist(), "values": distinct.tolist()}


def table(columns: Mapping[str, Sequence[Any] | Mapping[str, Any]]) -> dict[str, Any]:
    """Return a table by columns: `n` rows, and the lists or coded texts.

    Raises:
        ValueError: columns of different lengths.
    """
    lengths = {len(c["codes"] if isinstance(c, Mapping) else c) for c in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"columns of {sorted(lengths)} rows")
    return {"n": lengths.pop() if lengths else 0, "columns": dict(columns)}
