"""Sequence motifs in the pattern syntax of PROSITE, found in millions of residues at once.

The syntax is PROSITE's (https://prosite.expasy.org/prosuser.html, section on patterns): elements are joined
by `-`; a letter is that residue, `x` any, `[AG]` one of these, `{P}` none of these; `(3)` and `(2,4)` repeat;
`<` ties the pattern to the first residue and `>` to the last one, also inside brackets (`[G>]`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, ValidationError, field_validator

from protsae.annotations.spans import number_instances, span_table
from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS, character_codes
from protsae.core.tables import named_rows
from protsae.sequences.blocks import id_blocks

ASPECT = "motif"
MAX_LENGTH = 200
"""Longest match of a pattern, in residues."""
MAX_EXPANSIONS = 500
"""Most combinations of repeats that one pattern may stand for."""
_LETTERS = AMINO_ACIDS + "BJOUXZ"
_END = 0  # code of the space between proteins, which `<` and `>` match
_BLOCK_RESIDUES = 4_000_000
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


@dataclass(frozen=True)
class Element:
    """One element of a pattern: the codes that match it, and how often it repeats."""

    allowed: NDArray[np.bool_]
    """[256], by character code; code 0 is the space before and after a protein."""
    least: int
    most: int


def parse_pattern(pattern: str) -> list[Element]:
    """Return the elements of a PROSITE pattern, anchors included.

    Raises:
        ValueError: it is not in the syntax, says the element and why.
    """
    text = pattern.strip().removesuffix(".")
    elements = [Element(_codes("", end=True), 1, 1)] if text.startswith("<") else []
    ends = text.endswith(">")
    for part in text.removeprefix("<").removesuffix(">").split("-"):
        elements.append(_element(part, pattern))
    if ends:
        elements.append(Element(_codes("", end=True), 1, 1))
    if sum(element.most for element in elements) > MAX_LENGTH:
        raise ValueError(f"pattern {pattern!r} may span over {MAX_LENGTH} residues")
    if np.prod([float(element.most - element.least + 1) for element in elements]) > MAX_EXPANSIONS:
        raise ValueError(f"pattern {pattern!r} stands for over {MAX_EXPANSIONS} combinations of repeats")
    return elements


def _element(part: str, pattern: str) -> Element:
    least = most = 1
    repeat = _REPEAT.search(part)
    body = part[: repeat.start()] if repeat else part
    if repeat:
        least = int(repeat["least"])
        most = int(repeat["most"] or least)
        if not 0 <= least <= most or most == 0:
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
        allowed = _codes(_LETTERS)
    elif match["none"]:
        allowed = _codes(
            "".join(sorted(set(AMINO_ACIDS) - set(named)))
        )  # an unknown residue may be any: no match
    else:
        allowed = _codes(named, end=bool(match["some"] and match["some"].endswith(">")))
    return Element(allowed, least, most)


def _codes(letters: str, end: bool = False) -> NDArray[np.bool_]:
    allowed = np.zeros(256, dtype=bool)
    allowed[character_codes(letters)] = True
    allowed[_END] = end
    return allowed


def find_motifs(sequences: Mapping[str, str], motifs: Sequence[Motif]) -> pd.DataFrame:
    """Return every match of every motif: at each start the longest, without those inside another.

    Args:
        sequences: protein id to sequence, upper case.
        motifs: what to look for.

    Returns:
        `annotations.spans.SPAN_COLUMNS`; the concept id is the motif's, instances count from 0 by start.
    """
    parsed = [(motif.id, _expansions(parse_pattern(motif.pattern))) for motif in motifs]
    tables = []
    for names in id_blocks(sequences, _BLOCK_RESIDUES):
        codes, first = _block(names, sequences)
        for concept_id, expansions in parsed:
            start, end = _matches(codes, expansions)
            protein = np.searchsorted(first, start, side="right") - 1
            ids = np.asarray(names, dtype=object)[protein]
            places = {"instance": start, "start": start - first[protein], "end": end - first[protein]}
            tables.append(pd.DataFrame({"protein_id": ids, "concept_id": concept_id, **places}))
    return number_instances(pd.concat(tables)) if tables else span_table([])


def _block(names: list[str], sequences: Mapping[str, str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return character codes with a 0 before and after every protein, and where each protein begins."""
    text = "\0" + "\0".join(sequences[name] for name in names) + "\0"
    lengths = np.array([len(sequences[name]) for name in names], dtype=np.int64)
    first = 1 + np.concatenate([[0], np.cumsum(lengths + 1)[:-1]])
    return character_codes(text), first


def _expansions(elements: list[Element]) -> list[list[tuple[int, NDArray[np.bool_]]]]:
    """Return the pattern for every combination of repeats, longest first, as (offset, allowed codes).

    Elements that allow everything but the ends still count: a match never runs into the next protein.
    """
    ranges = [range(element.least, element.most + 1) for element in elements]
    combinations = sorted(product(*ranges), key=lambda repeats: -sum(repeats))
    expansions = []
    for repeats in combinations:
        flat = [e.allowed for e, n in zip(elements, repeats, strict=True) for _ in range(n)]
        expansions.append(list(enumerate(flat)))
    return expansions


def _matches(
    codes: NDArray[np.uint8], expansions: list[list[tuple[int, NDArray[np.bool_]]]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where matches begin and end in `codes`; the spaces that anchors match are not part of them."""
    starts: list[NDArray[np.int64]] = []
    ends: list[NDArray[np.int64]] = []
    taken = np.zeros(len(codes), dtype=bool)
    for expansion in expansions:
        # The rarest elements first: few places are left for the others.
        by_rarity = sorted(expansion, key=lambda item: int(item[1].sum()))
        offset, allowed = by_rarity[0]
        room = len(codes) - len(expansion) + 1
        if room <= 0:
            continue
        places = np.flatnonzero(allowed[codes[offset : offset + room]])
        for offset, allowed in by_rarity[1:]:
            places = places[allowed[codes[places + offset]]]
        places = places[~taken[places]]
        taken[places] = True
        starts.append(places + (codes[places] == _END))
        ends.append(places + len(expansion) - (codes[places + len(expansion) - 1] == _END))
    if not starts:  # all proteins together are shorter than the pattern
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    start, end = np.concatenate(starts), np.concatenate(ends)
    order = np.lexsort((-end, start))
    start, end = start[order], end[order]
    reached = np.concatenate([[-1], np.maximum.accumulate(end)])[: len(end)]
    outside = end > reached  # a match that ends within an earlier one lies inside it
    return start[outside], end[outside]
