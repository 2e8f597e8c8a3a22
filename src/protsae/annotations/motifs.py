"""Sequence motifs in the pattern syntax of PROSITE, found by regular expressions.

The syntax is PROSITE's (https://prosite.expasy.org/prosuser.html, section on patterns): elements are joined
by `-`; a letter is that residue, `x` any, `[AG]` one of these, `{P}` none of these; `(3)` and `(2,4)` repeat;
`<` ties the pattern to the first residue and `>` to the last one, also inside brackets (`[G>]`).
"""

import re
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pydantic import Field, ValidationError, field_validator

from protsae.annotations.spans import span_table
from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.core.tables import named_rows
from protsae.core.text import whole_number

ASPECT = "motif"
MAX_LENGTH = 200
"""Longest match of a pattern, in residues."""
MAX_EXPANSIONS = 500
"""Most combinations of repeats that one pattern may stand for."""
_ELEMENT = re.compile(
    r"(?P<letter>[A-Zx])|\[(?P<some>[A-Z]+>?)\]|\{(?P<none>[A-Z]+)\}",
)
_REPEAT = re.compile(r"\((?P<least>\d+)(?:,(?P<most>\d+))?\)$")


class Motif(Config):
    """A named sequence pattern."""

    id: str = Field(pattern=r"^[A-Za-z0-9_.:-]+$")
    """Concept id, such as `motif:walker_a`."""
    name: str
    """What it is called."""
    pattern: str
    """In the syntax of PROSITE, such as `[AG]-x(4)-G-K-[ST]`."""
    reference: str = ""
    """Where it is described: a DOI or a citation."""

    @field_validator("pattern")
    @classmethod
    def _parses(cls, pattern: str) -> str:
        parse_pattern(pattern)
        return pattern


def read_motifs(path: Path) -> tuple[Motif, ...]:
    """Read a tab-separated table with the header `id`, `name`, `pattern` and perhaps `reference`.

    Raises:
        InputError: as `file:line: reason`, on a missing column, an empty cell, an id given twice or a pattern
            that is not in PROSITE's syntax.
    """
    motifs: dict[str, Motif] = {}
    required = {column: (column,) for column in ("id", "name", "pattern")}
    for number, row in named_rows(path, "motifs", required, {"reference": ("reference",)}):
        try:
            motif = Motif.model_validate(row)
        except ValidationError as error:
            detail = error.errors()[0]
            column, reason = str(detail["loc"][0]), detail["msg"].removeprefix("Value error, ")
            raise InputError(
                f"{path}:{number}: {column} '{row[column]}': {reason}. Correct it, or remove the row"
            ) from error
        if motif.id in motifs:
            raise InputError(f"{path}:{number}: '{motif.id}' is given twice. Remove or rename one of them")
        motifs[motif.id] = motif
    return tuple(motifs.values())


class Element(NamedTuple):
    """One element of a pattern, as a regular expression of one residue, and how often it repeats."""

    residue: str
    least: int
    most: int


def parse_pattern(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a PROSITE pattern.

    A match of it is the first residue alone, so that the search finds overlapping ones; group 1 is the rest,
    up to the pattern's last residue. Greedy repeats find the longest match at each start: if taking fewer
    residues for one element led to a later end, some element after it would cover residues beyond this end,
    and could cover them after the greedy choice too.

    Raises:
        ValueError: it is not in the syntax, says the element and why.
    """
    text = pattern.strip().removesuffix(".")
    begin, end = r"\A" * text.startswith("<"), r"\Z" * text.endswith(">")
    elements = [_element(part, pattern) for part in text.removeprefix("<").removesuffix(">").split("-")]
    if sum(element.most for element in elements) > MAX_LENGTH:
        raise ValueError(f"pattern {pattern!r} may span over {MAX_LENGTH} residues")
    if prod(element.most - element.least + 1 for element in elements) > MAX_EXPANSIONS:
        raise ValueError(f"pattern {pattern!r} stands for over {MAX_EXPANSIONS} combinations of repeats")
    first = ""
    if elements[0].least:
        first, least, most = elements[0]
        elements[0] = Element(first, least - 1, most - 1)
    rest = "".join(f"{residue}{{{least},{most}}}" for residue, least, most in elements)
    return re.compile(f"{begin}{first}(?=({rest}{end}))")


def _element(part: str, pattern: str) -> Element:
    least = most = 1
    repeat = _REPEAT.search(part)
    body = part[: repeat.start()] if repeat else part
    if repeat:
        numbers = [whole_number(text) for text in (repeat["least"], repeat["most"] or repeat["least"])]
        least, most = (MAX_LENGTH + 1 if number is None else number for number in numbers)
        if not least <= most or most == 0:
            raise ValueError(f"element {part!r} of pattern {pattern!r} repeats {least} to {most} times")
    match = _ELEMENT.fullmatch(body)
    if match is None:
        raise ValueError(
            f"element {part!r} of pattern {pattern!r} is not in PROSITE's syntax: expected a residue, "
            "x, [..] or {..}, then perhaps (n) or (n,m), joined by '-'"
        )
    named = (match["letter"] or match["some"] or match["none"]).removesuffix(">")
    if unknown := sorted(set(named) - set(AMINO_ACIDS) - {"x"}):
        raise ValueError(f"pattern {pattern!r}: {unknown[0]!r} is none of the 20 residues")
    if match["letter"] == "x":
        residue = "."
    elif match["none"]:
        others = sorted(set(AMINO_ACIDS) - set(named))  # an unknown residue may be any: no match
        residue = f"[{''.join(others)}]"
    else:
        may_end = match["some"] and match["some"].endswith(">")
        residue = rf"(?:[{named}]|\Z)" if may_end else f"[{named}]"
    return Element(residue, least, most)


def find_motifs(sequences: Mapping[str, str], motifs: Sequence[Motif]) -> pd.DataFrame:
    """Return every match of every motif: at each start the longest, without those inside another.

    Args:
        sequences: protein id to sequence, upper case.
        motifs: what to look for.

    Returns:
        `annotations.spans.SPAN_COLUMNS`; the concept id is the motif's, instances count from 0 by start.
    """
    expressions = [(motif.id, parse_pattern(motif.pattern)) for motif in motifs]
    rows = []
    for protein_id, sequence in sequences.items():
        for concept_id, expression in expressions:
            instance = reached = 0
            for match in expression.finditer(sequence):
                start, end = match.start(), match.end(1)
                if end > max(start, reached):  # else it is empty or lies inside an earlier one
                    rows.append((protein_id, concept_id, instance, start, end))
                    instance, reached = instance + 1, end
    return span_table(rows)
