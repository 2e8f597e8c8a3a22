"""The table of distinct sequences of a FASTA file, and the report of what was read, merged and left out."""

from collections import Counter
from pathlib import Path
from typing import Any, Self

import pandas as pd
from pydantic import Field, model_validator

from protsae.core.errors import InputError
from protsae.core.progress import track
from protsae.sequences.fasta import FastaConfig, FastaRecord, read_fasta

ALIAS_SEPARATOR = ";"


class SequencesConfig(FastaConfig):
    """How sequences are read, and which are kept."""

    min_residues: int = Field(default=1, ge=1)
    """Shorter sequences are left out, counted and listed in the report."""
    max_residues: int | None = Field(default=None, ge=1)
    """Longer sequences are left out, counted and listed in the report. None: no limit."""

    @model_validator(mode="after")
    def _range_not_empty(self) -> Self:
        if self.max_residues is not None and self.max_residues < self.min_residues:
            raise ValueError(f"max_residues {self.max_residues} is below min_residues {self.min_residues}")
        return self


def sequence_table(path: Path, config: SequencesConfig) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a FASTA file into one row per distinct sequence.

    Records of one sequence under several ids become one protein: the first id in sorted order, the others
    being its `aliases`. Records with one id and one sequence count once.

    Args:
        path: FASTA file.
        config: residue policy and limits.

    Returns:
        The table (`protein_id`, `description`, `sequence`, `length`, `aliases`), sorted by id, and the
        report: counts by name.

    Raises:
        InputError: if the file is faulty, one id has two sequences, or no sequence is left.
    """
    residue_counts: Counter[str] = Counter()
    by_id, n_records = _merge_by_id(path, config, residue_counts)
    too_short = [name for name in sorted(by_id) if len(by_id[name].sequence) < config.min_residues]
    longest = config.max_residues or config.max_sequence_length
    too_long = [name for name in sorted(by_id) if len(by_id[name].sequence) > longest]
    kept = sorted(by_id.keys() - {*too_short, *too_long})
    if not kept:
        raise InputError(
            f"{path}: none of {len(by_id)} sequences has {config.min_residues} to {longest} residues. "
            "Change ingestion.sequences.min_residues or max_residues"
        )
    ids_of: dict[str, list[str]] = {}  # in the order of the first id of each sequence, as `kept` is sorted
    for name in kept:
        ids_of.setdefault(by_id[name].sequence, []).append(name)
    table = _table([by_id[ids[0]] for ids in ids_of.values()], [ids[1:] for ids in ids_of.values()])
    report = {
        "source": path.name,
        "n_records": n_records,
        "n_merged_by_id": n_records - len(by_id),
        "n_merged_by_sequence": len(kept) - len(table),
        "n_too_short": len(too_short),
        "n_too_long": len(too_long),
        "too_short_ids": too_short,
        "too_long_ids": too_long,
        "n_proteins": len(table),
        "n_residues": int(table["length"].sum()),
        "min_length": int(table["length"].min()),
        "max_length": int(table["length"].max()),
        "residue_policy": dict(sorted(residue_counts.items())),
    }
    return table, report


def _merge_by_id(
    path: Path, config: SequencesConfig, residue_counts: Counter[str]
) -> tuple[dict[str, FastaRecord], int]:
    """Return the first record of each id, and how many records there were."""
    by_id: dict[str, FastaRecord] = {}
    n_records = 0
    for record in track(read_fasta(path, config, residue_counts), "reading sequences"):
        n_records += 1
        first = by_id.setdefault(record.protein_id, record)
        if first.sequence != record.sequence:
            raise InputError(
                f"{path}:{record.line}: id '{record.protein_id}' already stands in line {first.line}, with "
                "another sequence. Remove or rename one of them"
            )
    return by_id, n_records


def _table(records: list[FastaRecord], aliases: list[list[str]]) -> pd.DataFrame:
    columns = {
        "protein_id": pd.Series([record.protein_id for record in records], dtype="str"),
        "description": pd.Series([record.description for record in records], dtype="str"),
        "sequence": pd.Series([record.sequence for record in records], dtype="str"),
        "length": pd.Series([len(record.sequence) for record in records], dtype="int32"),
        "aliases": pd.Series([ALIAS_SEPARATOR.join(ids) for ids in aliases], dtype="str"),
    }
    return pd.DataFrame(columns)
