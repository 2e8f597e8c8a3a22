"""Annotations of Swiss-Prot's flat files and of DeepGO's data sets: files that hold sequences too."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from protsae.annotations.builder import RowBuilder
from protsae.annotations.table import add_entries
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
    records = read_swissprot(path, "annotations")
    entries = ((r.accession, [(term_id, code) for _, term_id, code in r.go_terms]) for r in records)
    add_entries(path, entries, rows, counts)


def read_deepgo(path: Path, rows: RowBuilder, counts: Counter[str], allow_pickle: bool) -> None:
    """Add the annotations of a DeepGO pickle.

    They are the items `GO:0005737|IDA` of the column `annotations`. A table without it gives
    `exp_annotations`, with the evidence code EXP (an experiment of unspecified kind), or else
    `prop_annotations`, without codes.

    Args:
        path: the pickle.
        rows: gains a row per item.
        counts: gains `n_rows_in_file`, `n_entries`, `n_entries_without_terms`, and which column was read.
        allow_pickle: whether the user wants pickles to be read.

    Raises:
        InputError: see `sequences.deepgo.deepgo_rows`; a cell is no list of texts; no row has a term.
    """
    columns: set[str] = set()
    add_entries(path, _deepgo_entries(path, allow_pickle, columns), rows, counts)
    counts.update(f"column.{column}" for column in columns)


def _deepgo_entries(
    path: Path, allow_pickle: bool, columns: set[str]
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield the entries of a DeepGO pickle, and note in `columns` which column they come from."""
    wanted = (f"{CODED}|{EXPERIMENTAL}|{PROPAGATED}",)
    for row in deepgo_rows(path, wanted, "annotation.annotations", allow_pickle):
        ((column, items),) = row.values.items()
        columns.add(column)
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise InputError(f"{path}: row {row.number} of '{column}' is no list of terms: {items!r:.80}")
        terms = []
        for item in items:
            term_id, _, code = item.partition("|")
            if not term_id.strip():
                raise InputError(
                    f"{path}: row {row.number} of '{column}' has an item without a term: {item!r}"
                )
            terms.append((term_id.strip(), _EXPERIMENT if column == EXPERIMENTAL else code.strip()))
        yield row.accession, terms
