"""Annotations as a plain table, and as the table that UniProt's web site exports."""

import re
from collections import Counter
from pathlib import Path

from protsae.annotations.builder import RowBuilder
from protsae.core.errors import InputError
from protsae.core.tables import SHOWN, cell, column_finder, tab_rows

ACCESSION_NAMES = ("accession", "protein", "protein_id", "Entry")
TERM_NAMES = ("go_id", "term_id", "term", "GO_ID")
EVIDENCE_NAMES = ("evidence", "evidence_code")
QUALIFIER_NAMES = ("qualifier",)
UNIPROT_ACCESSION = "Entry"
UNIPROT_TERMS = "Gene Ontology IDs"
UNIPROT_NAMED_TERMS = "Gene Ontology ("
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
    number, header, lines = tab_rows(path, "annotations")
    find = column_finder(header)
    accession, term = find(ACCESSION_NAMES), find(TERM_NAMES)
    evidence, qualifier = find(EVIDENCE_NAMES), find(QUALIFIER_NAMES)
    if accession is None or term is None:
        found = "\t".join(header)[:SHOWN]
        raise InputError(
            f"{path}:{number}: the header must name {ACCESSION_NAMES[0]} and {TERM_NAMES[0]} once each, "
            f"tab-separated; found {found!r}. Add such a header, or give a GAF, UniProt or Swiss-Prot file"
        )
    names = header[accession], header[term]
    per_qualifier: Counter[str] = Counter()
    add = rows.add
    for number, fields in lines:
        name = fields[accession].strip() or cell(path, number, fields, accession, names[0])
        term_id = fields[term].strip() or cell(path, number, fields, term, names[1])
        if ";" in term_id or ";" in name:
            several = term_id if ";" in term_id else name
            raise InputError(f"{path}:{number}: {several!r} names several. Give one row for each")
        code = fields[evidence].strip() if evidence is not None else ""
        said = fields[qualifier].strip() if qualifier is not None else ""
        if said:
            per_qualifier[said] += 1
        add(name, term_id, code, is_negated(said))
    if not len(rows):
        raise InputError(f"{path}: a header and no annotations below it")
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
    number, header, lines = tab_rows(path, "annotations")
    find = column_finder(header)
    entry, ids = find([UNIPROT_ACCESSION]), find([UNIPROT_TERMS])
    named = [column for column, name in enumerate(header) if name.startswith(UNIPROT_NAMED_TERMS)]
    if entry is None or (ids is None and not named):
        raise InputError(
            f"{path}:{number}: a UniProt export needs '{UNIPROT_ACCESSION}' and '{UNIPROT_TERMS}' once "
            "each. Add them under 'Customize columns', and export as TSV again"
        )
    n_entries = n_without = 0
    for number, fields in lines:
        accession = cell(path, number, fields, entry, UNIPROT_ACCESSION)
        if ids is not None:
            term_ids = [name for part in fields[ids].split(";") if (name := part.strip())]
        else:
            cells = (_named_terms(path, number, fields[column].strip()) for column in named)
            term_ids = list(dict.fromkeys(term_id for cell_ids in cells for term_id in cell_ids))
        n_entries += 1
        n_without += not term_ids
        for term_id in term_ids:
            rows.add(accession, term_id)
    if not len(rows):
        raise InputError(f"{path}: none of {n_entries} entries has a term in '{UNIPROT_TERMS}'")
    counts.update(n_rows_in_file=len(rows), n_entries=n_entries, n_entries_without_terms=n_without)


def _named_terms(path: Path, number: int, text: str) -> list[str]:
    """Return the ids of `name [GO:0005737]; other name [GO:0005634]`; names may hold semicolons."""
    found = list(_NAMED_TERM.finditer(text))
    if text and (not found or found[-1].end() != len(text)):
        raise InputError(f"{path}:{number}: {text[-SHOWN:]!r} does not end with a term such as [GO:0005737]")
    return [match[1] for match in found]
