"""Swiss-Prot's flat files (`.dat`): every record checked, then parsed by Biopython."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protsae.core.errors import InputError
from protsae.core.tables import SHOWN
from protsae.core.text import CutOffError, numbered_lines
from protsae.sequences.swissprot_features import feature_texts

# Lines of other kinds (references, comments, ...) are not read, so that no fault in them stops us.
_READ_KEYS = frozenset({"ID", "AC", "DE", "DR", "SQ", "  ", "//"})
_LINE = re.compile(r"[A-Z]{2}(?:   .*)?|     .*|\*\*.*|//")
_NAME = re.compile(r"(?:RecName|SubName): Full=([^;{]+)")
_N_GO_FIELDS = 4
_BIOPYTHON_ERRORS = (ValueError, AssertionError, LookupError, AttributeError, TypeError, NameError)


@dataclass(frozen=True, slots=True)
class SwissProtRecord:
    """What is read of one record."""

    line: int
    """1-based line of its `ID`."""
    accession: str
    """The primary accession."""
    description: str
    """The entry name and the recommended name."""
    sequence: str
    """As in the file, without blanks."""
    go_terms: tuple[tuple[int, str, str], ...]
    """Line, term id and evidence code of every `DR   GO` line."""
    features: tuple[tuple[int, str], ...]
    """Line and text of every feature, if asked for: see `swissprot_features.feature_texts`."""


def read_swissprot(path: Path, content: str, features: bool = False) -> Iterator[SwissProtRecord]:
    """Yield the records of a Swiss-Prot file one at a time.

    Args:
        path: the file, plain or compressed.
        content: what is sought in it, for messages.
        features: whether `FT` lines are read; no fault in them stops who does not ask for them.

    Raises:
        InputError: as `file:line: reason`: a line that is none of the format, a record that does not begin
            with `ID` or end with `//`, that Biopython cannot parse, that has no accession or another length
            than it says, or a GO line without term and evidence.
    """
    lines: list[tuple[int, str]] = []
    feature_lines: list[tuple[int, str]] = []
    n_records = 0
    try:
        for number, line in numbered_lines(path, content):
            key = line[:2]
            if not lines and not line.strip():
                continue
            if not _LINE.fullmatch(line):
                raise InputError(f"{path}:{number}: {line[:SHOWN]!r} is no line of a Swiss-Prot file")
            if (key == "ID") == bool(lines):
                expected = "'//', the end of the record before" if lines else "a line that begins with 'ID'"
                raise InputError(f"{path}:{number}: expected {expected}, found {line[:SHOWN]!r}")
            if key in _READ_KEYS:
                lines.append((number, line))
            elif features and key == "FT":
                feature_lines.append((number, line))
            if key == "//":
                yield _record(path, lines, feature_texts(path, feature_lines))
                n_records += 1
                lines, feature_lines = [], []
    except CutOffError as error:
        raise InputError(f"{error}; {n_records} records before it are whole") from None
    if lines:
        raise InputError(
            f"{path}:{lines[0][0]}: the last record, {lines[0][1][5:].split(' ')[0]!r}, is cut off: it has "
            "no '//'. Download the file again"
        )


def _record(
    path: Path, lines: list[tuple[int, str]], features: tuple[tuple[int, str], ...]
) -> SwissProtRecord:
    from Bio import SwissProt

    parse: Any = SwissProt.read

    first, header = lines[0]
    name = header[5:].split(" ")[0]
    where = f"{path}:{first}: record {name!r}"
    try:
        parsed: Any = parse(io.StringIO("".join(f"{line}\n" for _, line in lines)))
    except _BIOPYTHON_ERRORS as error:
        raise InputError(f"{where} cannot be parsed ({error}). Download the file again") from None
    if not parsed.accessions or not parsed.accessions[0].strip():
        raise InputError(f"{where} has no accession (AC line)")
    stated = {parsed.sequence_length, *(parsed.seqinfo or ())[:1]}
    if stated != {len(parsed.sequence)}:
        raise InputError(
            f"{where} says that it has {' or '.join(map(str, sorted(stated)))} residues, and has "
            f"{len(parsed.sequence)}. It is damaged: download the file again"
        )
    match = _NAME.search(parsed.description)
    title = match[1] if match else parsed.description.rstrip(".")  # before 2008 all of it was the name
    description = f"{name} {title.strip()}".strip()
    return SwissProtRecord(
        first,
        parsed.accessions[0].strip(),
        description,
        parsed.sequence,
        _go_terms(path, lines, parsed),
        features,
    )


def _go_terms(path: Path, lines: list[tuple[int, str]], parsed: Any) -> tuple[tuple[int, str, str], ...]:
    numbers = [number for number, line in lines if line[:2] == "DR"]
    terms = []
    for number, reference in zip(numbers, parsed.cross_references, strict=True):
        if reference[0].rstrip(";") != "GO":
            continue
        code = reference[-1].partition(":")[0].strip()
        if len(reference) < _N_GO_FIELDS or not reference[1].strip() or not code:
            raise InputError(
                f"{path}:{number}: {'; '.join(reference)!r} is not 'GO; term; aspect:name; evidence:source'"
            )
        terms.append((number, reference[1].strip(), code))
    return tuple(terms)
