"""Tab-separated tables whose columns are found by name."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.tables import SHOWN, tab_rows


def named_rows(
    path: Path,
    content: str,
    required: Mapping[str, Sequence[str]],
    optional: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, value by column) of a table with a header, row by row; blank lines are skipped.

    Args:
        path: plain or compressed, tab-separated.
        content: what it should hold, for messages.
        required: column to the names that a header may give it, in any case.
        optional: the same, for columns that may be missing; their rows then have no such key.

    Raises:
        InputError: as `file:line: reason`, on a header without a required column or with one twice, a row
            with another number of fields, an empty required value, or no rows.
    """
    number, header, rows = tab_rows(path, content)
    positions = _positions(header, f"{path}:{number}", required, optional or {})
    n_rows = 0
    for number, fields in rows:
        row = {column: fields[position].strip() for column, position in positions.items()}
        if empty := [column for column in required if not row[column]]:
            raise InputError(f"{path}:{number}: no {empty[0]} in this row")
        n_rows += 1
        yield number, row
    if not n_rows:
        raise InputError(f"{path}: a header and no {content} below it")


def _positions(
    header: Sequence[str],
    where: str,
    required: Mapping[str, Sequence[str]],
    optional: Mapping[str, Sequence[str]],
) -> dict[str, int]:
    names = [name.lstrip("#").lower() for name in header]
    shown = repr(", ".join(header)[:SHOWN])
    positions: dict[str, int] = {}
    for column, synonyms in {**required, **optional}.items():
        found = [i for i, name in enumerate(names) if name in {synonym.lower() for synonym in synonyms}]
        if len(found) > 1:
            raise InputError(f"{where}: the header names {column} twice ({shown}). Remove one")
        if found:
            positions[column] = found[0]
        elif column in required:
            raise InputError(
                f"{where}: the header has no column {' or '.join(synonyms)}; found {shown}. "
                "Name the columns in the first line, separated by tabs"
            )
    return positions
