"""The table of distinct sequences of a file, and the report of what was read, merged and left out."""

from array import array
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pandas as pd
from pydantic import Field, model_validator

from protsae.core.errors import InputError
from protsae.core.progress import track
from protsae.core.seeding import lowest_hashes
from protsae.core.tables import PROTEIN_COLUMNS, named_rows
from protsae.sequences import airr
from protsae.sequences.records import RecordsConfig, read_sequences, sequence_format

ALIAS_SEPARATOR = ";"


class SequenceTableConfig(RecordsConfig):
    """How sequences are read, and which are kept."""

    min_residues: int = Field(default=1, ge=1)
    """Shorter sequences are left out, counted and listed in the report."""
    max_residues: int | None = Field(default=None, ge=1)
    """Longer sequences are left out, counted and listed in the report. None: no limit."""
    n_sampled: int | None = Field(default=None, ge=1)
    """Proteins kept, those of smallest hashed id: a larger sample holds the smaller one. None: all."""

    @model_validator(mode="after")
    def _range_not_empty(self) -> Self:
        if self.max_residues is not None and self.max_residues < self.min_residues:
            raise ValueError(f"max_residues {self.max_residues} is below min_residues {self.min_residues}")
        return self


@dataclass
class _Records:
    """The first record of each id, as columns; equal sequences are one object."""

    ids: list[str] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    sequences: list[str] = field(default_factory=list)
    n_records: int = 0


def sequence_table(
    path: Path, config: SequenceTableConfig, held_back: Collection[str] = ()
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a file of sequences into one row per distinct sequence.

    Records of one sequence under several ids become one protein: the first id in sorted order, the others
    being its `aliases`. Records with one id and one sequence count once.

    Args:
        path: FASTA, UniProt export, Swiss-Prot file or rearrangement table, see `sequences.records`.
        config: residue policy and limits.
        held_back: ids of proteins to leave out, under any of their ids. They leave the sample after it is
            drawn, so that whom a sample holds beside them does not depend on this list.

    Returns:
        The table (`protein_id`, `description`, `sequence`, `length`, `aliases`), sorted by id, and the
        report: counts by name.

    Raises:
        InputError: if the file is faulty, one id has two sequences, or no sequence is left.
    """
    config = config.model_copy(update={"format": sequence_format(path, config)})
    residue_counts: Counter[str] = Counter()
    records = _merge_by_id(path, config, residue_counts)
    order = sorted(range(len(records.ids)), key=records.ids.__getitem__)
    longest = config.max_residues or config.max_sequence_length
    too_short = [i for i in order if len(records.sequences[i]) < config.min_residues]
    too_long = [i for i in order if len(records.sequences[i]) > longest]
    left_out = {*too_short, *too_long}
    kept = [i for i in order if i not in left_out]
    of_rearrangements = {name: residue_counts.pop(name, 0) for name in airr.COUNTS}
    if not kept:
        raise InputError(
            f"{path}: none of {len(order)} sequences has {config.min_residues} to {longest} residues. "
            "Change ingestion.sequences.min_residues or max_residues"
        )
    distinct = _table(records, kept)
    sampled = _sample(distinct, config.n_sampled)
    table = _without(sampled, frozenset(held_back))
    if table.empty:
        raise InputError(f"{path}: all {len(sampled)} proteins are held back. Change the list raw_held_back")
    report = {
        "source": path.name,
        "format": config.format,
        "n_records": records.n_records,
        "n_merged_by_id": records.n_records - len(order),
        "n_merged_by_sequence": len(kept) - len(distinct),
        "n_too_short": len(too_short),
        "n_too_long": len(too_long),
        "n_not_sampled": len(distinct) - len(sampled),
        "n_held_back": len(sampled) - len(table),
        "too_short_ids": [records.ids[i] for i in too_short],
        "too_long_ids": [records.ids[i] for i in too_long],
        "n_proteins": len(table),
        "n_residues": int(table["length"].sum()),
        "min_length": int(table["length"].min()),
        "max_length": int(table["length"].max()),
        "residue_policy": dict(sorted(residue_counts.items())),
        **({"rearrangements": of_rearrangements} if config.format == "airr" else {}),
    }
    return table, report


def _sample(table: pd.DataFrame, n_sampled: int | None) -> pd.DataFrame:
    if n_sampled is None or n_sampled >= len(table):
        return table
    drawn = lowest_hashes(table["protein_id"], n_sampled, "protein-sample")
    return table[table["protein_id"].isin(drawn)].reset_index(drop=True)


def read_held_back(path: Path) -> frozenset[str]:
    """Return the ids in the column `accession` of a table of proteins that no pipeline is to read.

    Raises:
        InputError: as `file:line: reason`, on what `named_rows` refuses.
    """
    rows = named_rows(path, "proteins to hold back", {"accession": PROTEIN_COLUMNS})
    return frozenset(row["accession"] for _, row in rows)


def protein_of_id(sequences: pd.DataFrame) -> dict[str, str]:
    """Return the protein of every id and alias; an id of its own goes before an alias.

    Args:
        sequences: `protein_id`, `aliases` (ids joined by `;`).
    """
    aliased = sequences[sequences["aliases"] != ""].sort_values("protein_id", ascending=False)
    pairs = zip(aliased["protein_id"], aliased["aliases"].str.split(ALIAS_SEPARATOR), strict=True)
    owners = {alias: protein_id for protein_id, aliases in pairs for alias in aliases}
    return owners | dict(zip(sequences["protein_id"], sequences["protein_id"], strict=True))


def _without(table: pd.DataFrame, held_back: frozenset[str]) -> pd.DataFrame:
    if not held_back:
        return table
    aliases = (names.split(ALIAS_SEPARATOR) for names in table["aliases"])
    is_held_back = [
        not held_back.isdisjoint((name, *others))
        for name, others in zip(table["protein_id"], aliases, strict=True)
    ]
    return table[~pd.Series(is_held_back, dtype=bool)].reset_index(drop=True)


def _merge_by_id(path: Path, config: SequenceTableConfig, residue_counts: Counter[str]) -> _Records:
    records = _Records()
    lines = array("q")
    row_of_id: dict[str, int] = {}
    distinct: dict[str, str] = {}
    for record in track(read_sequences(path, config, residue_counts), "reading sequences"):
        records.n_records += 1
        row = row_of_id.setdefault(record.protein_id, len(records.ids))
        if row == len(records.ids):
            records.ids.append(record.protein_id)
            records.descriptions.append(record.description)
            records.sequences.append(distinct.setdefault(record.sequence, record.sequence))
            lines.append(record.line)
        elif records.sequences[row] != record.sequence:
            raise InputError(
                f"{path}:{record.line}: id '{record.protein_id}' is already in line {lines[row]}, with "
                "another sequence. Remove or rename one of them"
            )
    return records


def _table(records: _Records, kept: list[int]) -> pd.DataFrame:
    """Return the distinct sequences of the rows `kept`, which are sorted by id."""
    rows_of: dict[str, list[int]] = {}  # in the order of the first id of each sequence
    for row in kept:
        rows_of.setdefault(records.sequences[row], []).append(row)
    first = [rows[0] for rows in rows_of.values()]
    aliases = [ALIAS_SEPARATOR.join(records.ids[row] for row in rows[1:]) for rows in rows_of.values()]
    columns = {
        "protein_id": pd.Series([records.ids[row] for row in first], dtype="str"),
        "description": pd.Series([records.descriptions[row] for row in first], dtype="str"),
        "sequence": pd.Series([records.sequences[row] for row in first], dtype="str"),
        "length": pd.Series([len(records.sequences[row]) for row in first], dtype="int32"),
        "aliases": pd.Series(aliases, dtype="str"),
    }
    return pd.DataFrame(columns)
