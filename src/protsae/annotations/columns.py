"""Tab-separated tables whose columns are found by name."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.text import numbered_lines


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
    lines = ((number, line) for number, line in numbered_lines(path, content) if line.strip())
    number, header = next(lines)
    positions = _positions(header, f"{path}:{number}", required, optional or {})
    n_fields = header.count("\t") + 1
    n_rows = 0
    for number, line in lines:
        fields = line.split("\t")
        if len(fields) != n_fields:
            raise InputError(
                f"{path}:{number}: {len(fields)} tab-separated fields where the header has {n_fields}: "
                f"{line[:80]!r}"
            )
        row = {column: fields[position].strip() for column, position in positions.items()}
        if empty := [column for column in required if not row[column]]:
            raise InputError(f"{path}:{number}: no {empty[0]} in this row")
        n_rows += 1
        yield number, row
    if not n_rows:
        raise InputError(f"{path}: a header and no {content} below it")


def _positions(
    header: str, where: str, required: Mapping[str, Sequence[str]], optional: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    names = [name.strip().lower() for name in header.lstrip("#").split("\t")]
    positions: dict[str, int] = {}
    for column, synonyms in {**required, **optional}.items():
        found = [i for i, name in enumerate(names) if name in {synonym.lower() for synonym in synonyms}]
        if len(found) > 1:
            raise InputError(f"{where}: the header names {column} twice ({header[:80]!r}). Remove one")
        if found:
            positions[column] = found[0]
        elif column in required:
            raise InputError(
                f"{where}: the header has no column {' or '.join(synonyms)}; found {header[:80]!r}. "
                "Name the columns in the first line, separated by tabs"
            )
    return positions
