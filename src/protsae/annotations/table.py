"""Annotations as a plain table."""

from pathlib import Path

import pandas as pd

from protsae.core.errors import InputError
from protsae.core.text import numbered_lines

COLUMNS = ("accession", "go_id")


def read_annotations(path: Path) -> pd.DataFrame:
    """Read tab-separated values, plain or gzip, whose header names the columns `accession` and `go_id`.

    Other columns are allowed and left. Blank lines are skipped.

    Returns:
        `accession`, `term_id`: one row per line, in the file's order.

    Raises:
        InputError: no such header, no rows, a line with another number of fields, an empty cell.
    """
    lines = [line for _, line in numbered_lines(path, "annotations")]
    numbers = [number for number, line in enumerate(lines, start=1) if line and not line.isspace()]
    header = [name.strip() for name in lines[numbers[0] - 1].split("\t")]
    missing = [name for name in COLUMNS if header.count(name) != 1]
    if missing:
        raise InputError(
            f"{path}:{numbers[0]}: the header must name {' and '.join(COLUMNS)} once each, tab-separated; "
            f"found {lines[numbers[0] - 1][:80]!r}"
        )
    rows = [lines[number - 1].split("\t") for number in numbers[1:]]
    if not rows:
        raise InputError(f"{path}: a header and no annotations below it")
    for number, row in zip(numbers[1:], rows, strict=True):
        if len(row) != len(header):
            raise InputError(
                f"{path}:{number}: {len(row)} tab-separated fields where the header has {len(header)}: "
                f"{lines[number - 1][:80]!r}"
            )
    columns = {}
    for name in COLUMNS:
        position = header.index(name)
        columns[name] = [row[position].strip() for row in rows]
        if "" in columns[name]:
            raise InputError(f"{path}:{numbers[1 + columns[name].index('')]}: no {name} in this row")
    return pd.DataFrame(columns, dtype="str").set_axis(["accession", "term_id"], axis=1)
