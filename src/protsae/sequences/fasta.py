"""FASTA files, read strictly and as a stream."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from protsae.core.accessions import plain_accession
from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.core.text import CutOffError, numbered_lines
from protsae.sequences.residues import ResidueError, ResiduePolicy, clean_residues

_MIN_LETTERS, _MIN_NUCLEOTIDES, _MIN_EACH = 16, 0.9, 0.05
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class FastaConfig(Config):
    """How strictly FASTA is read."""

    residues: ResiduePolicy = ResiduePolicy()
    """What happens to characters other than the twenty residues."""
    max_sequence_length: int = Field(default=100_000, ge=1)
    """Longer sequences are an error: the longest known protein has some 45,000 residues."""
    allow_nucleotides: bool = False
    """Whether sequences that look like nucleotides (A, C, G, T, U, N) are read as residues, not refused."""


@dataclass(frozen=True, slots=True)
class FastaRecord:
    """One protein of a file."""

    protein_id: str
    """The accession of UniProt and UniRef headers, else the first word."""
    description: str
    """The entry name, if any, and the rest of the header."""
    sequence: str
    line: int = 0
    """1-based line where the record begins."""


def read_fasta(path: Path, config: FastaConfig, counts: Counter[str] | None = None) -> Iterator[FastaRecord]:
    """Yield the records of a FASTA file one at a time, in memory bounded by the longest of them.

    Plain, gzip, bzip2 or xz; any line ends; blank lines and trailing blanks are accepted.

    Args:
        path: the file.
        config: residue policy and limit.
        counts: gains what the residue policy changed.

    Raises:
        InputError: as `file:line: reason`, on anything that is not FASTA under the policy.
    """
    counts = Counter() if counts is None else counts
    n_records = 0
    try:
        for n_records, record in enumerate(_records(path, config, counts), start=1):  # noqa: B007
            yield record
    except CutOffError as error:
        raise InputError(f"{error}; {n_records} records before it are whole") from None


def _records(path: Path, config: FastaConfig, counts: Counter[str]) -> Iterator[FastaRecord]:
    header: tuple[int, str, str] | None = None
    parts: list[tuple[int, str]] = []
    length = 0
    for number, line in numbered_lines(path, "sequences"):
        text = line.rstrip(" \t")
        if text.startswith(">"):
            if header is not None:
                yield _record(path, header, parts, config, counts)
            header, parts, length = (number, *parse_header(text, f"{path}:{number}")), [], 0
        elif text and header is None:
            raise InputError(
                f"{path}:{number}: expected a header line that starts with '>', found {text[:40]!r}. "
                "Give FASTA, a UniProt export with 'Entry' and 'Sequence', or a Swiss-Prot .dat file"
            )
        elif text and header is not None:
            parts.append((number, text))
            length += len(text)
            if length > config.max_sequence_length:
                raise InputError(
                    f"{path}:{number}: record '{header[1]}' has over {config.max_sequence_length} residues. "
                    "Is a '>' missing? If not, raise max_sequence_length"
                )
    assert header is not None  # a file without text was refused, and text without header too
    yield _record(path, header, parts, config, counts)


def parse_header(line: str, where: str) -> tuple[str, str]:
    """Return protein id and description of a header line.

    `>sp|P69905|HBA_HUMAN Hemoglobin` is `P69905` and `HBA_HUMAN Hemoglobin`; `>UniRef50_P69905 ...` and
    `>P69905.2 ...` are `P69905`; of any other header the first word is the id.

    Raises:
        InputError: on a blank id, a control character, or an id with `;` (it joins ids in tables).
    """
    if control := _CONTROL.search(line):
        raise InputError(f"{where}: control character {control.group()!r} in the header. Remove it")
    token, _, rest = line[1:].strip(" \t").replace("\t", " ").partition(" ")
    token, name = plain_accession(token)
    if not token:
        raise InputError(f"{where}: the record has no id: {line[:40]!r}. Give it one after '>'")
    if ";" in token:
        raise InputError(f"{where}: id '{token}' contains ';', which joins ids in tables. Rename it")
    return token, f"{name} {rest.strip()}".strip()


def clean_record(
    where: Callable[[int], str], record: FastaRecord, config: FastaConfig, counts: Counter[str]
) -> FastaRecord:
    """Return the record with its sequence under the residue policy.

    Args:
        where: gives `file:line` of a 1-based position of the sequence.
        record: id, description and line; the sequence as in the file.
        config: residue policy and limit.
        counts: gains what the policy changed.

    Raises:
        InputError: the sequence is empty, too long, or has a character that the policy does not accept.
    """
    name, raw = record.protein_id, record.sequence
    if len(raw) > config.max_sequence_length:
        raise InputError(
            f"{where(1)}: record '{name}' has over {config.max_sequence_length} residues. Is it one protein? "
            "If so, raise max_sequence_length"
        )
    try:
        sequence = clean_residues(raw, config.residues, counts)
    except ResidueError as error:
        raise InputError(
            f"{where(error.position_1based)}: record '{name}' has {error.character!r} at position "
            f"{error.position_1based}, which is no residue. {_way_out(error.character)}"
        ) from None
    if not sequence:
        raise InputError(f"{where(1)}: record '{name}' has no residues. Remove it or give it a sequence")
    if not config.allow_nucleotides and looks_like_nucleotides(sequence):
        raise InputError(
            f"{where(1)}: record '{name}' looks like nucleotides: nearly all of its {len(sequence)} letters "
            "are A, C, G, T, U or N, all of which are residues too. Give proteins: translate it. If they are "
            "residues, set ingestion.sequences.allow_nucleotides=true"
        )
    return record if sequence is raw else replace(record, sequence=sequence)


def looks_like_nucleotides(sequence: str) -> bool:
    """Return whether a sequence is told from a protein by its composition.

    At least 90 % of its letters are those of nucleotides, and each of A, C, G and T (or U) makes up 5 % or
    more: silk, antifreeze proteins and the like are rich in some of them only. Less than 16 letters say
    nothing.
    """
    counts = [sequence.count(letter) for letter in "ACG"] + [sequence.count("T") + sequence.count("U")]
    enough = min(counts) >= _MIN_EACH * len(sequence)
    known = sum(counts) + sequence.count("N")
    return len(sequence) >= _MIN_LETTERS and enough and known >= _MIN_NUCLEOTIDES * len(sequence)


def _record(
    path: Path,
    header: tuple[int, str, str],
    parts: list[tuple[int, str]],
    config: FastaConfig,
    counts: Counter[str],
) -> FastaRecord:
    line, protein_id, description = header
    record = FastaRecord(protein_id, description, "".join(text for _, text in parts), line)
    return clean_record(lambda position: f"{path}:{_line_of(position, parts, line)}", record, config, counts)


def _line_of(position_1based: int, parts: list[tuple[int, str]], header: int) -> int:
    if not parts or parts == [(parts[0][0], "*")]:
        return header
    for line, text in parts:
        if position_1based <= len(text):
            return line
        position_1based -= len(text)
    raise AssertionError("the position lies within the sequence")


def _way_out(character: str) -> str:
    if character == "*":
        return "A stop codon inside: translate the right frame, or cut the sequence there"
    if character in "-.":
        return "A gap: give unaligned sequences"
    return "Correct the record, or the residue policy (ingestion.sequences.residues)"
