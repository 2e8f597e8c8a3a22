"""Annotations of Swiss-Prot's flat files and of DeepGO's data sets: files that hold sequences too."""

from collections import Counter
from pathlib import Path

from protsae.annotations.builder import RowBuilder
from protsae.core.errors import InputError
from protsae.sequences.deepgo import deepgo_rows
from protsae.sequences.swissprot import read_swissprot

CODED, EXPERIMENTAL, PROPAGATED = "annotations", "exp_annotations", "prop_annotations"
_EXPERIMENT = "EXP"


def read_flat_file(path: Path, rows: RowBuilder, counts: Counter[str]) -> None:
    """Add the lines `DR   GO; GO:0005737; C:cytoplasm; IDA:UniProtKB.` of a Swiss-Prot file.

    Args:
        path: the file.
        rows: gains a row per such line, under the record's primary accession.
        counts: gains `n_rows_in_file`, `n_entries`, `n_entries_without_terms`.

    Raises:
        InputError: see `sequences.swissprot.read_swissprot`; no record has a term.
    """
    n_entries = n_without = 0
    for record in read_swissprot(path, "annotations"):
        n_entries += 1
        n_without += not record.go_terms
        for _, term_id, code in record.go_terms:
            rows.add(record.accession, term_id, code)
    _count(path, rows, counts, n_entries, n_without)


def read_deepgo(path: Path, rows: RowBuilder, counts: Counter[str], allow_pickle: bool) -> None:
    """Add the annotations of a DeepGO pickle.

    They are the items `GO:0005737|IDA` of the column `annotations`. A table without it gives
    `exp_annotations`, with the evidence code EXP (from an experiment, of which kind is not said), or else
    `prop_annotations`, without codes.

    Args:
        path: the pickle.
        rows: gains a row per item.
        counts: gains `n_rows_in_file`, `n_entries`, `n_entries_without_terms`, and which column was read.
        allow_pickle: whether the user wants pickles to be read.

    Raises:
        InputError: see `sequences.deepgo.deepgo_rows`; a cell is no list of texts; no row has a term.
    """
    columns = (f"{CODED}|{EXPERIMENTAL}|{PROPAGATED}",)
    n_entries = n_without = 0
    column = ""
    for row in deepgo_rows(path, columns, "annotation.annotations", allow_pickle):
        ((column, items),) = row.values.items()
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise InputError(f"{path}: row {row.number} of '{column}' is no list of terms: {items!r:.80}")
        n_entries += 1
        n_without += not items
        for item in items:
            term_id, _, code = item.partition("|")
            if not term_id.strip():
                raise InputError(
                    f"{path}: row {row.number} of '{column}' has an item without a term: {item!r}"
                )
            rows.add(row.accession, term_id.strip(), _EXPERIMENT if column == EXPERIMENTAL else code.strip())
    _count(path, rows, counts, n_entries, n_without)
    counts[f"column.{column}"] += 1


def _count(path: Path, rows: RowBuilder, counts: Counter[str], n_entries: int, n_without: int) -> None:
    if not len(rows):
        raise InputError(f"{path}: none of {n_entries} entries has a GO term. Give a file that has some")
    counts.update(n_rows_in_file=len(rows), n_entries=n_entries, n_entries_without_terms=n_without)
