"""Annotation rows, whatever kind of file they come from."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from protsae.annotations.builder import RowBuilder
from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.evidence import keep_evidence
from protsae.annotations.gaf import read_gaf, read_gpad
from protsae.annotations.table import read_flat_file, read_table, read_uniprot_table
from protsae.core.errors import InputError, naming
from protsae.sequences.formats import detect_format

READERS: dict[str, Callable[[Path, RowBuilder, Counter[str]], None]] = {
    "tsv": read_table,
    "uniprot_tsv": read_uniprot_table,
    "swissprot_dat": read_flat_file,
}
GO_READERS = {"gaf": read_gaf, "gpad": read_gpad}


def read_annotations(
    path: Path, config: AnnotationsConfig, counts: Counter[str] | None = None
) -> pd.DataFrame:
    """Read the annotation rows that the evidence filter keeps.

    Args:
        path: plain table, GAF, GPAD, UniProt export or Swiss-Prot file; recognised by the content
            unless `config.format` says it.
        config: format, evidence filter.
        counts: gains what the file holds and what was left out; a dot in a name separates a heading
            from an entry under it. `n_rows_in_file` is the sum of the rows returned,
            `n_rows_of_other_databases`, `n_rows_no_data` and `n_rows_of_other_evidence`.

    Returns:
        `accession` (str), `term_id` (str), `evidence` (categorical, '' where the file has none), `is_not`
        (bool), `isoform_id` (str, '' where the row names none); in the file's order. NOT rows are among them.

    Raises:
        InputError: as `file:line: reason`, whatever is wrong with the file; no row left.
    """
    counts = Counter() if counts is None else counts
    kind = detect_format(path, "annotations") if config.format == "auto" else config.format
    rows = RowBuilder()
    if kind not in (*READERS, *GO_READERS):
        raise InputError(
            f"{path}: this is a {kind} file, which holds no annotations. Give "
            f"{', '.join((*READERS, *GO_READERS))}"
        )
    if kind in GO_READERS:
        GO_READERS[kind](path, rows, counts, config.databases)
    else:
        READERS[kind](path, rows, counts)
    counts[f"format.{kind}"] += 1
    with naming(path):
        return keep_evidence(rows.frame(), config.evidence, counts)


def nested_counts(counts: Counter[str]) -> dict[str, int | dict[str, int]]:
    """Return counts as a report shows them: `a.b` as entry `b` under `a`, in sorted order."""
    report: dict[str, int | dict[str, int]] = {}
    for name, n in sorted(counts.items()):
        heading, dot, entry = name.partition(".")
        if dot:
            below = report.setdefault(heading, {})
            assert isinstance(below, dict)
            below[entry] = n
        else:
            report[name] = n
    return report
