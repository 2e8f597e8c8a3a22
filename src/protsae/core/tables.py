"""Tab-separated tables whose columns are found by name, read strictly."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.text import numbered_lines

SHOWN = 80
"""Characters of an offending line that a message shows."""
NAME_COLUMNS = "Name the columns in the first line, separated by tabs"

Names = Mapping[str, Sequence[str]]
"""Column to the names that a header may give it, in any case."""


def named_rows(
    path: Path, content: str, required: Names, optional: Names | None = None, advice: str = NAME_COLUMNS
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, value by column) of a table with a header, row by row; blank lines are skipped.

    Args:
        path: plain or compressed, tab-separated.
        content: what it should hold, for messages.
        required: columns that must be there, with a value in every row.
        optional: columns that may be missing; their rows then have no such key.
        advice: what a message about the header recommends.

    Raises:
        InputError: as `file:line: reason`, on a header without a required column or with one twice, a row
            with another number of fields, an empty required value, or no rows.
    """
    lines = numbered_lines(path, content)
    number, header = next((number, line) for number, line in lines if line.strip())
    names = [name.strip() for name in header.split("\t")]
    positions = _positions(names, f"{path}:{number}", required, optional or {}, advice)
    n_rows = 0
    for number, line in lines:
        fields = line.split("\t")
        if not line.strip() and (len(names) == 1 or len(fields) != len(names)):
            continue
        if len(fields) != len(names):
            raise InputError(
                f"{path}:{number}: {len(fields)} tab-separated fields where the header has {len(names)}: "
                f"{line[:SHOWN]!r}"
            )
        row = {column: fields[position].strip() for column, position in positions.items()}
        if empty := [column for column in required if not row[column]]:
            raise InputError(f"{path}:{number}: no {names[positions[empty[0]]]} in this row")
        n_rows += 1
        yield number, row
    if not n_rows:
        raise InputError(f"{path}: a header and no {content} below it")


def _positions(
    header: Sequence[str], where: str, required: Names, optional: Names, advice: str
) -> dict[str, int]:
    names = [name.lstrip("#").casefold() for name in header]
    shown = repr(", ".join(header)[:SHOWN])
    positions: dict[str, int] = {}
    for column, synonyms in {**required, **optional}.items():
        wanted = {synonym.casefold() for synonym in synonyms}
        found = [position for position, name in enumerate(names) if name in wanted]
        if len(found) > 1:
            raise InputError(f"{where}: the header names {column} twice ({shown}). Remove one")
        if found:
            positions[column] = found[0]
        elif column in required:
            raise InputError(
                f"{where}: the header has no column {' or '.join(synonyms)}; found {shown}. {advice}"
            )
    return positions
