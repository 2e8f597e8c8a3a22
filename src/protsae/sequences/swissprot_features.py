"""The `FT` lines of Swiss-Prot's flat files, of today and from before 2019."""

import re
from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.tables import SHOWN

_OLD = re.compile(r"(?P<start>[<?]?\d+|\?) +(?P<end>[>?]?\d+|\?)(?: +(?P<note>\S.*))?$")
_EVIDENCE = re.compile(r"\s*\{[^}]*\}")
_FTID = re.compile(r"\s*/FTId=\S*")
_STATUS = re.compile(
    r"\s*\((?:Potential|Probable|By similarity)\)\.?$|^(?:Potential|Probable|By similarity)\.?$"
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
    begun: list[tuple[int, str]] = []
    for number, line in lines:
        part = line[5:].strip()
        if line[5:6].strip():
            begun.append((number, part))
        elif begun:
            begun[-1] = begun[-1][0], _continued(begun[-1][1], part)
        else:
            raise InputError(f"{path}:{number}: {line[:SHOWN]!r} continues a feature where none begins")
    return tuple((number, modern_text(text)) for number, text in begun)


def _continued(text: str, part: str) -> str:
    """Return a feature with its next line: a qualifier, or the rest of a text that was wrapped.

    UniProt wraps at blanks, and after hyphens and slashes within words.
    """
    in_quotes = text.count('"') % 2
    if part.startswith("/") and not in_quotes:
        return f"{text}; {part}"
    in_word = len(text) > 1 and text[-1] in "-/" and not text[-2].isspace()
    return text + part if in_word else f"{text} {part}"


def modern_text(text: str) -> str:
    """Return a feature as written today; of one from before 2019 status, evidence and FTId are left out."""
    kind, _, rest = text.partition(" ")
    old = _OLD.match(rest.strip(" ;."))
    if old is None:
        return f"{kind} {rest.strip()}"
    note = _FTID.sub("", _EVIDENCE.sub("", old["note"] or "").replace("; /FTId", " /FTId"))
    note = _STATUS.sub("", note.strip(" ;")).strip(" ;").rstrip(".;").replace('"', "'")
    start, end = old["start"], old["end"]
    location = start if start == end else f"{start}..{end}"
    return f'{kind} {location}; /note="{note}"' if note else f"{kind} {location}"
