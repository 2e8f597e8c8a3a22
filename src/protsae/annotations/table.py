"""Annotations as a plain table, as UniProt's web site exports them, and in Swiss-Prot's flat files."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from protsae.annotations.builder import RowBuilder
from protsae.core.errors import InputError
from protsae.core.tables import PROTEIN_COLUMNS, SHOWN, named_rows
from protsae.sequences.records import UNIPROT_ADVICE, UNIPROT_ENTRY
from protsae.sequences.swissprot import read_swissprot

_REQUIRED = {
    "accession": PROTEIN_COLUMNS,
    "go_id": ("go_id", "term_id", "term"),
}
_OPTIONAL = {"evidence": ("evidence", "evidence_code"), "qualifier": ("qualifier",)}
_ADVICE = "Name both in the first line, tab-separated, or give a GAF, UniProt or Swiss-Prot file"
UNIPROT_TERMS = "Gene Ontology IDs"
_BRANCHES = ("GO", "biological process", "molecular function", "cellular component")
_UNIPROT_TERMS = {
    name: (name,) for name in (UNIPROT_TERMS, *(f"Gene Ontology ({branch})" for branch in _BRANCHES))
}
_NAMED_TERM = re.compile(r"\[(GO:\d+)\]\s*(?:;\s*|$)")
_QUALIFIER_SEPARATOR = re.compile(r"[|,;\s]+")


def is_negated(qualifier: str) -> bool:
    """Return whether `NOT` is one of the words of a qualifier such as `NOT|enables`."""
    return "NOT" in qualifier and "NOT" in _QUALIFIER_SEPARATOR.split(qualifier)


def read_table(path: Path, rows: RowBuilder, counts: Counter[str]) -> None:
    """Add the rows of tab-separated values whose header names at least a protein and a term.

    The protein's column is `accession`, `protein`, `protein_id` or `Entry`; the term's `go_id`, `term_id` or
    `term`; optional are `evidence` or `evidence_code`, and `qualifier`, in which the word NOT negates the
    row. Case does not matter. Other columns are allowed and left. Blank lines are skipped.

    Args:
        path: the file.
        rows: gains a row per line.
        counts: gains `n_rows_in_file` and the rows per qualifier.

    Raises:
        InputError: no such header, no rows, a line with another number of fields, an empty cell, one with
            several ids.
    """
    per_qualifier: Counter[str] = Counter()
    for number, row in named_rows(path, "annotations", _REQUIRED, _OPTIONAL, _ADVICE):
        name, term_id, qualifier = row["accession"], row["go_id"], row.get("qualifier", "")
        if ";" in term_id or ";" in name:
            several = term_id if ";" in term_id else name
            raise InputError(f"{path}:{number}: {several!r} names several. Give one row for each")
        if qualifier:
            per_qualifier[qualifier] += 1
        rows.add(name, term_id, row.get("evidence", ""), is_negated(qualifier))
    counts["n_rows_in_file"] += len(rows)
    counts.update({f"n_rows_per_qualifier.{name}": n for name, n in sorted(per_qualifier.items())})


def read_uniprot_table(path: Path, rows: RowBuilder, counts: Counter[str]) -> None:
    """Add the terms of a UniProt export with the columns `Entry` and `Gene Ontology IDs`.

    Without the latter the columns `Gene Ontology (biological process)` and the like are read, whose cells
    are `name [GO:0005737]; other name [GO:0005634]`.

    The export names no evidence codes. An entry without terms is counted.

    Args:
        path: the file, tab-separated.
        rows: gains a row per entry and term.
        counts: gains `n_rows_in_file` (entry and term), `n_entries`, `n_entries_without_terms`.

    Raises:
        InputError: a column is missing, no entries, no terms, a line with another number of fields.
    """
    _add_entries(path, _uniprot_entries(path), rows, counts)


def read_flat_file(path: Path, rows: RowBuilder, counts: Counter[str]) -> None:
    """Add the lines `DR   GO; GO:0005737; C:cytoplasm; IDA:UniProtKB.` of a Swiss-Prot file.

    Args:
        path: the file.
        rows: gains a row per such line, under the record's primary accession.
        counts: gains `n_rows_in_file`, `n_entries`, `n_entries_without_terms`.

    Raises:
        InputError: see `sequences.swissprot.read_swissprot`; no record has a term.
    """
    records = read_swissprot(path, "annotations")
    entries = ((r.accession, [(term_id, code) for _, term_id, code in r.go_terms]) for r in records)
    _add_entries(path, entries, rows, counts)


def _add_entries(
    path: Path, entries: Iterable[tuple[str, list[tuple[str, str]]]], rows: RowBuilder, counts: Counter[str]
) -> None:
    """Add the rows of a file that is read protein by protein.

    Args:
        path: the file, for messages.
        entries: accession, and its terms with their evidence codes.
        rows: gains a row per entry and term.
        counts: gains `n_rows_in_file`, `n_entries`, `n_entries_without_terms`.

    Raises:
        InputError: no entry has a term.
    """
    n_entries = n_without = 0
    for accession, terms in entries:
        n_entries += 1
        n_without += not terms
        for term_id, code in terms:
            rows.add(accession, term_id, code)
    if not len(rows):
        raise InputError(f"{path}: none of {n_entries} entries has a GO term. Give a file that has some")
    counts.update(n_rows_in_file=len(rows), n_entries=n_entries, n_entries_without_terms=n_without)


def _uniprot_entries(path: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for number, row in named_rows(path, "annotations", UNIPROT_ENTRY, _UNIPROT_TERMS, UNIPROT_ADVICE):
        if len(row) == 1:
            raise InputError(f"{path}:1: the header has no column {UNIPROT_TERMS!r}. {UNIPROT_ADVICE}")
        if UNIPROT_TERMS in row:
            term_ids = [name for part in row[UNIPROT_TERMS].split(";") if (name := part.strip())]
        else:
            cells = (_named_terms(path, number, row[column]) for column in _UNIPROT_TERMS if column in row)
            term_ids = list(dict.fromkeys(term_id for cell_ids in cells for term_id in cell_ids))
        yield row["Entry"], [(term_id, "") for term_id in term_ids]


def _named_terms(path: Path, number: int, text: str) -> list[str]:
    """Return the ids of `name [GO:0005737]; other name [GO:0005634]`; names may hold semicolons."""
    found = list(_NAMED_TERM.finditer(text))
    if text and (not found or found[-1].end() != len(text)):
        raise InputError(f"{path}:{number}: {text[-SHOWN:]!r} does not end with a term such as [GO:0005737]")
    return [match[1] for match in found]
