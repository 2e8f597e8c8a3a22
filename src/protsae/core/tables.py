"""Tab-separated tables with a header line, read strictly."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.text import numbered_lines

SHOWN = 80
"""Characters of an offending line that a message shows."""


def tab_rows(path: Path, content: str) -> tuple[int, list[str], Iterator[tuple[int, list[str]]]]:
    """Open a table: its header, and its rows one at a time.

    Blank lines are skipped. The rows are read as they are asked for, and each has as many fields as the
    header.

    Args:
        path: the file.
        content: what it should hold, for messages.

    Returns:
        The header's line number, its names without surrounding blanks, and the rows as (line number, fields).

    Raises:
        InputError: the file is no text (see `numbered_lines`); on a row with another number of fields.
    """
    lines = numbered_lines(path, content)
    number, line = next((number, line) for number, line in lines if line.strip())
    return number, [name.strip() for name in line.split("\t")], _rows(path, lines, line.count("\t") + 1)


def _rows(path: Path, lines: Iterable[tuple[int, str]], width: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in lines:
        fields = line.split("\t")
        if len(fields) == width:
            if width > 1 or line.strip():
                yield number, fields
        elif line.strip():
            raise InputError(
                f"{path}:{number}: {len(fields)} tab-separated fields where the header has {width}: "
                f"{line[:SHOWN]!r}"
            )


def cell(path: Path, number: int, fields: list[str], position: int, name: str) -> str:
    """Return one field without surrounding blanks.

    Raises:
        InputError: it is empty.
    """
    value = fields[position].strip()
    if not value:
        raise InputError(f"{path}:{number}: no {name} in this row")
    return value


def column_finder(header: list[str]) -> Callable[[Iterable[str]], int | None]:
    """Return a function that finds the one column that has one of several names, whatever their case.

    It gives None where no column has, or more than one.
    """
    names = [name.casefold() for name in header]

    def find(synonyms: Iterable[str]) -> int | None:
        wanted = {synonym.casefold() for synonym in synonyms}
        found = [position for position, name in enumerate(names) if name in wanted]
        return found[0] if len(found) == 1 else None

    return find
