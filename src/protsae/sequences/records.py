"""Protein records from any file that holds sequences."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from protsae.core.errors import InputError
from protsae.core.tables import named_rows
from protsae.sequences.airr import NUCLEOTIDES, SEQUENCES, read_chains
from protsae.sequences.fasta import FastaConfig, FastaRecord, clean_record, parse_header, read_fasta
from protsae.sequences.formats import detect_format
from protsae.sequences.swissprot import read_swissprot

UNIPROT_ENTRY = {"Entry": ("Entry",)}
UNIPROT_ADVICE = "Add it under 'Customize columns' of UniProt's web site, and export as TSV again"
_SEQUENCE = {"Sequence": ("Sequence",)}
SequenceFormat = Literal["fasta", "uniprot_tsv", "swissprot_dat", "airr"]


class RecordsConfig(FastaConfig):
    """How files of sequences are read."""

    format: Literal["auto"] | SequenceFormat = "auto"
    """Kind of file; `auto` tells it by the content."""
    max_records: int | None = Field(default=1_000_000, ge=1)
    """More records are an error: UniRef given for Swiss-Prot, or a bomb. None: no limit."""


def sequence_format(path: Path, config: RecordsConfig) -> SequenceFormat:
    """Return what the file is, by its content or as the settings say; what is nothing else is FASTA.

    Raises:
        InputError: the file is missing or no text, see `core.text.numbered_lines`.
    """
    kind = detect_format(path, "sequences") if config.format == "auto" else config.format
    return "fasta" if kind in {"tsv", "gaf", "gpad"} else kind  # type: ignore[return-value]


def read_sequences(
    path: Path, config: RecordsConfig, counts: Counter[str] | None = None
) -> Iterator[FastaRecord]:
    """Yield the records of a FASTA file, a UniProt export, a Swiss-Prot file or a rearrangement table.

    They are read as a stream, in memory bounded by the longest record.

    Args:
        path: the file, plain or compressed.
        config: format, residue policy and limits.
        counts: gains what the residue policy changed; of a rearrangement table also `airr.COUNTS`.

    Raises:
        InputError: as `file:line: reason`; more records than `config.max_records`.
    """
    counts = Counter() if counts is None else counts
    kind = sequence_format(path, config)
    records = read_fasta(path, config, counts) if kind == "fasta" else _others(path, kind, config, counts)
    for n_records, record in enumerate(records, start=1):
        if config.max_records is not None and n_records > config.max_records:
            raise InputError(
                f"{path}:{record.line}: over {config.max_records} records. Is this the right file? If so, "
                "raise ingestion.sequences.max_records, or give null for no limit"
            )
        yield record


def _others(
    path: Path, kind: SequenceFormat, config: RecordsConfig, counts: Counter[str]
) -> Iterator[FastaRecord]:
    if kind == "uniprot_tsv":
        raw = _uniprot_records(path)
    elif kind == "airr":
        raw = _airr_records(path, counts)
    else:
        found = read_swissprot(path, "sequences")
        raw = (FastaRecord(r.accession, r.description, r.sequence, r.line) for r in found)
    for record in raw:
        where = f"{path}:{record.line}"
        name, description = parse_header(f">{record.protein_id} {record.description}", where)
        if name != record.protein_id:
            raise InputError(f"{where}: {record.protein_id!r} cannot be an id: it would be read as {name!r}")
        clean = FastaRecord(name, description, record.sequence, record.line)
        yield clean_record(lambda _: where, clean, config, counts)  # noqa: B023


def _uniprot_records(path: Path) -> Iterator[FastaRecord]:
    optional = {name: (name,) for name in ("Entry Name", "Protein names")}
    for number, row in named_rows(path, "sequences", UNIPROT_ENTRY | _SEQUENCE, optional, UNIPROT_ADVICE):
        description = " ".join(row[name] for name in optional if name in row).strip()
        yield FastaRecord(row["Entry"], description, row["Sequence"], number)


def _airr_records(path: Path, counts: Counter[str]) -> Iterator[FastaRecord]:
    for found in read_chains(path, "sequences", [(*SEQUENCES, *NUCLEOTIDES)], counts):
        sequence = found.amino_acids()
        if not sequence:
            counts["n_chains_without_sequence"] += 1
        elif "*" in sequence[:-1]:  # real tables call some of these productive
            counts["n_chains_with_stop_codon"] += 1
        else:
            yield FastaRecord(found.chain_id, "", sequence, found.line)
