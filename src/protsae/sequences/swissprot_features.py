"""The `FT` lines of Swiss-Prot's flat files, of today and from before 2019."""

import re
from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.tables import SHOWN

_OLD = re.compile(r"(?P<start>[<?]?\d+|\?) +(?P<end>[>?]?\d+|\?)(?: +(?P<note>\S.*))?$")
_EVIDENCE = re.compile(r"\s*\{[^}]*\}")
_STATUS = re.compile(
    r"\s*\((?:Potential|Probable|By similarity)\)\.?$|^(?:Potential|Probable|By similarity)\.$"
)


def feature_texts(path: Path, lines: list[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """Return the features of one record as UniProt's tables write them: `DOMAIN 10..120; /note="SH3"`.

    Today's form is `FT   DOMAIN          10..120`, followed by lines such as `FT       /note="SH3"`; before
    2019 it was `FT   DOMAIN       10    120       SH3 (By similarity).`, whose status and evidence are left
    out.

    Args:
        path: the file, for messages.
        lines: line number and text of the record's `FT` lines.

    Returns:
        Line in which it begins, and text, of every feature.

    Raises:
        InputError: a line that begins no feature and follows none.
    """
    begun: list[tuple[int, list[str]]] = []
    for number, line in lines:
        if line[5:6].strip():
            begun.append((number, [line[5:].strip()]))
        elif begun:
            begun[-1][1].append(line[5:].strip())
        else:
            raise InputError(f"{path}:{number}: {line[:SHOWN]!r} continues a feature where none begins")
    return tuple((number, _text(*parts)) for number, parts in begun)


def _text(first: str, *more: str) -> str:
    kind, _, rest = first.partition(" ")
    old = _OLD.match(rest.strip())
    if old is None:
        qualifiers = "".join(("; " if part.startswith("/") else " ") + part for part in more)
        return f"{kind} {rest.strip()}{qualifiers}"
    note = _EVIDENCE.sub("", " ".join([old["note"] or "", *more]))
    note = _STATUS.sub("", note.strip()).strip().rstrip(".;").replace('"', "'")
    start, end = old["start"], old["end"]
    location = start if start == end else f"{start}..{end}"
    return f'{kind} {location}; /note="{note}"' if note else f"{kind} {location}"
