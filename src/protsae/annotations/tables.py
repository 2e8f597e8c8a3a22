"""Concepts of one's own: tables of protein, concept and perhaps positions, with parents if there are any."""

from collections import Counter
from pathlib import Path

from protsae.annotations.sources import ConceptSource, concept_source
from protsae.core.errors import InputError
from protsae.core.tables import PROTEIN_COLUMNS, SHOWN, named_rows
from protsae.core.text import whole_number
from protsae.ontology.graph import reached

_CONCEPT = ("concept_id", "concept", "term_id", "term")
_TABLE_OPTIONAL = {
    "start": ("start", "start_1based"),
    "end": ("end", "end_1based"),
    "name": ("name", "concept_name"),
    "definition": ("definition",),
}
_PARENT_OPTIONAL = {"name": ("name",), "definition": ("definition",)}


def read_concept_table(name: str, path: Path, parents: Path | None) -> ConceptSource:
    """Read a table of proteins and concepts.

    The header names `accession` and `concept_id` (or `protein_id`, `concept`, ...), and may name `start` and
    `end` (1-based, both inclusive), `name` and `definition`. A concept with positions in any row is a
    residue-level concept; its rows without positions are counted and skipped. The concepts are an aspect of
    their own, called `name`; proteins that the table does not list are not labelled in it.

    Args:
        name: of the aspect.
        path: the table.
        parents: a table with the header `concept_id`, `parent_id`, perhaps `name` and `definition`: a
            hierarchy along which annotations propagate upwards. Concepts that it does not name have no
            parents, and are counted.

    Raises:
        InputError: as `file:line: reason`.
    """
    counts: Counter[str] = Counter(n_rows=0)
    whole: list[tuple[str, str]] = []
    spans: list[tuple[str, str, int, int, int]] = []
    texts: dict[str, tuple[str, str]] = {}
    required = {"accession": PROTEIN_COLUMNS, "concept_id": _CONCEPT}
    for number, row in named_rows(path, "concepts", required, _TABLE_OPTIONAL):
        counts["n_rows"] += 1
        pair = row["accession"], row["concept_id"]
        _note_text(texts, row, f"{path}:{number}")
        if row.get("start") or row.get("end"):
            start, end = _positions(row, f"{path}:{number}")
            spans.append((*pair, counts["n_rows"], start, end))
        else:
            whole.append(pair)
    listed = {pair[0] for pair in whole} | {span[0] for span in spans}
    residue_level = {concept_id for _, concept_id, *_ in spans}
    rows = [pair for pair in whole if pair[1] not in residue_level]
    counts["n_skipped_without_position"] = len(whole) - len(rows)
    concept_ids = {concept_id for _, concept_id in rows} | residue_level
    relations: list[tuple[str, str, str]] = []
    if parents is not None:
        relations, known = _read_parents(parents, texts)
        if not known & concept_ids:
            raise InputError(
                f"{parents}: none of its concepts (such as {min(known)}) is in {path} (such as "
                f"{min(concept_ids)}). Do the files belong together?"
            )
        counts["n_concepts_without_parent_entry"] = len(concept_ids - known)
        concept_ids |= known
    parents_of: dict[str, list[str]] = {}
    for child, _, parent in relations:
        parents_of.setdefault(child, []).append(parent)
    above = reached(residue_level & concept_ids, parents_of)
    _check_levels(path, {concept_id for _, concept_id in rows}, above)
    terms = []
    for concept_id in sorted(concept_ids):
        title, definition = texts.get(concept_id, (concept_id, ""))
        level = "residue" if concept_id in residue_level | above else "protein"
        terms.append((concept_id, title, name, definition, level))
    return concept_source(
        name, terms, relations=relations, rows=rows, spans=spans, listed=listed, counts=dict(counts)
    )


def _positions(row: dict[str, str], where: str) -> tuple[int, int]:
    """Return start (0-based) and end (exclusive)."""
    values = []
    for column in ("start", "end"):
        text = row.get(column, "")
        if not (value := whole_number(text)):
            raise InputError(
                f"{where}: {column} is {text[:SHOWN]!r}, not a 1-based position. Give both start and end"
            )
        values.append(value)
    if values[0] > values[1]:
        raise InputError(f"{where}: start {values[0]} is after end {values[1]}")
    return values[0] - 1, values[1]


def _note_text(texts: dict[str, tuple[str, str]], row: dict[str, str], where: str) -> None:
    """Keep the name and the definition of a concept; a later row may leave them out, not change them."""
    given = row.get("name", ""), row.get("definition", "")
    if not any(given):
        return
    text = given[0] or row["concept_id"], given[1]
    if texts.setdefault(row["concept_id"], text) != text:
        raise InputError(
            f"{where}: concept '{row['concept_id']}' is called {text}, and above {texts[row['concept_id']]}. "
            "Give it one name and definition"
        )


def _read_parents(
    path: Path, texts: dict[str, tuple[str, str]]
) -> tuple[list[tuple[str, str, str]], set[str]]:
    """Return the relations of a table of parents, and all concepts that it names."""
    relations: dict[tuple[str, str, str], None] = {}
    known: set[str] = set()
    optional = {"parent_id": ("parent_id", "parent"), **_PARENT_OPTIONAL}
    for number, row in named_rows(path, "parents", {"concept_id": _CONCEPT}, optional):
        if "parent_id" not in row:
            raise InputError(f"{path}:1: the header has no column parent_id")
        _note_text(texts, row, f"{path}:{number}")
        if row["parent_id"] == row["concept_id"]:
            raise InputError(f"{path}:{number}: '{row['concept_id']}' is its own parent")
        known.add(row["concept_id"])
        if row["parent_id"]:
            known.add(row["parent_id"])
            relations[row["concept_id"], "is_a", row["parent_id"]] = None
    return list(relations), known


def _check_levels(path: Path, whole: set[str], above: set[str]) -> None:
    """Refuse a concept that is of whole proteins and has concepts with positions below it."""
    both = sorted(whole & above)
    if both:
        raise InputError(
            f"{path}: '{both[0]}' has rows without positions, and concepts with positions below it "
            f"({len(both)} such concepts): give positions to all of them, or keep the two in separate tables"
        )
