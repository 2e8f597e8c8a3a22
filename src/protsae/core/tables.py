"""Tab-separated tables whose columns are found by name, read strictly."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from protsae.core.accessions import plain_accession
from protsae.core.errors import InputError
from protsae.core.text import numbered_lines

SHOWN = 80
"""Characters of an offending line that a message shows."""
ACCESSION = "accession"
"""The column whose values are ids of proteins."""
PROTEIN_COLUMNS = (ACCESSION, "protein_id", "protein", "Entry", "EntryID")
"""Names that the column of a protein's id may have."""
NAME_COLUMNS = "Name the columns in the first line, separated by tabs"

_ROW_NAMES = ". If R wrote it, write it with row.names=FALSE"
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_CELL = re.compile(r'(?:(?<=\t)|^)("(?:[^"]|"")*"(?=\t|$)|[^\t]*)')

Names = Mapping[str, Sequence[str]]
"""Column to the names that a header may give it, in any case."""


def named_rows(
    path: Path,
    content: str,
    required: Names,
    optional: Names | None = None,
    advice: str = NAME_COLUMNS,
    *,
    header: Sequence[str] | None = None,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, value by column) of a table with a header, row by row; blank lines are skipped.

    A value of the column `accession` is given as `core.accessions.plain_accession` reads it.

    Args:
        path: plain or compressed, tab-separated.
        content: what it should hold, for messages.
        required: columns that must be there, with a value in every row.
        optional: columns that may be missing; their rows then have no such key.
        advice: what a message about the header recommends.
        header: the columns of a file without a header.

    Raises:
        InputError: as `file:line: reason`, on a header without a required column or with one twice, a row
            with another number of fields, an empty required value, or no rows.
    """
    lines = numbered_lines(path, content)
    number = 1
    if header is None:
        number, first = next((number, line) for number, line in lines if line.strip())
        header = split_fields(first)
    names = [name.strip() for name in header]
    positions = _positions(names, f"{path}:{number}", required, optional or {}, advice)
    n_rows = 0
    for number, line in lines:
        fields = split_fields(line, len(names))
        if not line.strip() and (len(names) == 1 or len(fields) != len(names)):
            continue
        if len(fields) != len(names):
            raise InputError(
                f"{path}:{number}: {len(fields)} tab-separated fields where the header has {len(names)}: "
                f"{line[:SHOWN]!r}{_ROW_NAMES if len(fields) == len(names) + 1 else ''}"
            )
        row = {column: fields[position].strip() for column, position in positions.items()}
        if ACCESSION in row:
            row[ACCESSION] = plain_accession(row[ACCESSION])[0]
        if empty := [column for column in required if not row[column]]:
            raise InputError(f"{path}:{number}: no {names[positions[empty[0]]]} in this row")
        n_rows += 1
        yield number, row
    if not n_rows:
        raise InputError(f"{path}: a header and no {content} below it")


def csv_fields(line: str, separator: str, where: str) -> list[str]:
    """Return the fields of a line, quoted or not, of a table separated by commas or tabs.

    Raises:
        InputError: beginning with `where`, on quotes that do not fit.
    """
    if '"' not in line:  # fast, and without a limit to the length of a field
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError(f"{where}: {error}. Is a quote missing?") from None


def split_fields(line: str, n_fields: int | None = None) -> list[str]:
    """Return the fields of a line, those that RFC 4180 quotes (as pandas and R write them) without quotes.

    Args:
        line: tab-separated.
        n_fields: number expected; a tab within quotes counts as text only where the fields are else too many.
    """
    fields = line.split("\t")
    if '"' not in line:
        return fields
    if n_fields is not None and len(fields) > n_fields:
        fields = _CELL.findall(line)
    trimmed = (field.strip(" ") for field in fields)
    return [cell[1:-1].replace('""', '"') if _QUOTED.fullmatch(cell) else cell for cell in trimmed]


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
