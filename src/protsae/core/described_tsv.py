"""Tab-separated tables whose first lines, each after `# `, say what they were made of.

A file begins with lines `# name: value`, then one line of column names, then the rows. Numbers have six
significant digits, lists are JSON, nothing is quoted, an empty cell is a missing value or an empty text.
"""

import csv
import json
import math
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from protsae.core.errors import MALFORMED, InputError

_MARK = "# "
_SPACES = str.maketrans("\t\r\n", "   ")


def described_tsv(table: pd.DataFrame, about: Mapping[str, object]) -> str:
    """Return a table as text.

    Tabs and line breaks within texts become spaces.

    Args:
        table: columns of numbers, texts, or lists (of lists) of numbers.
        about: what the table was made of: name to value, each on one line.
    """
    head = "".join(f"{_MARK}{name}: {str(value).translate(_SPACES)}\n" for name, value in about.items())
    cells = table.apply(lambda column: column.map(cell_text) if _is_mixed(column) else column)
    rows = cells.to_csv(
        sep="\t",
        index=False,
        float_format="%.6g",
        lineterminator="\n",
        quoting=csv.QUOTE_NONE,
        quotechar=None,
    )
    return head + str(rows)


def read_described_tsv(path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return a table that `described_tsv` wrote, lists as lists, and what it was made of.

    Raises:
        InputError: the file is missing, damaged or no such table.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        n = next((i for i, line in enumerate(lines) if not line.startswith(_MARK)), len(lines))
        about = dict(line.removeprefix(_MARK).rstrip("\n").partition(": ")[::2] for line in lines[:n])
        table = pd.read_csv(
            StringIO("".join(lines[n:])),
            sep="\t",
            quoting=csv.QUOTE_NONE,
            keep_default_na=False,
            na_values=[""],
        )
        for name in table:
            if table[name].dropna().astype(str).str.startswith("[").any():
                table[name] = [json.loads(cell) if isinstance(cell, str) else None for cell in table[name]]
    except (OSError, *MALFORMED) as error:  # pandas' errors of parsing are ValueErrors
        raise InputError(f"{path}: no table of tab-separated columns ({error})") from error
    return table, about


def _is_mixed(column: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def cell_text(value: Any) -> str:
    """Return a value as such a table shows it: lists as JSON, missing values empty."""
    if isinstance(value, list | tuple | np.ndarray):
        return _json(value)
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if pd.isna(value):
        return ""
    return str(value).translate(_SPACES)


def _json(value: Any) -> str:
    """Return a list of numbers or of lists, numbers with six significant digits."""
    items = value.tolist() if isinstance(value, np.ndarray) else value
    inner = (_json(item) if isinstance(item, list | np.ndarray) else _number(item) for item in items)
    return f"[{','.join(inner)}]"


def _number(value: float) -> str:
    return "null" if math.isnan(value) else f"{value:.6g}"
