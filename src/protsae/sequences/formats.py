"""The format of a file, recognised by its content and never by its name."""

from pathlib import Path
from typing import Literal

from protsae.core.text import first_lines
from protsae.sequences import airr

FileFormat = Literal["fasta", "uniprot_tsv", "swissprot_dat", "airr", "gaf", "tsv"]
_MIN_GAF_FIELDS = 15


def detect_format(path: Path, content: str) -> FileFormat:
    """Recognise the format of a file by its first line that is not blank.

    FASTA begins with `>`; GAF with `!`, or has 15 fields and more, the fifth of them an id with a colon;
    Swiss-Prot with an `ID` line; a UniProt export has the column `Entry` and one of `Sequence` or
    `Gene Ontology IDs`; a rearrangement table has one of AIRR's columns, perhaps after a line of JSON.
    Anything else is a plain table.

    Args:
        path: the file.
        content: what it should hold ("sequences", "annotations"), for messages.

    Raises:
        InputError: the file is not text, see `core.text.numbered_lines`.
    """
    line = first_lines(path, 1, content)[0]
    if line.startswith(">"):
        return "fasta"
    if line.startswith("!"):
        return "gaf"
    if line.startswith("ID   "):
        return "swissprot_dat"
    if airr.is_metadata(line):
        line = first_lines(path, 2, content)[-1]
    if airr.is_header(line):
        return "airr"
    fields = [field.strip() for field in line.split("\t")]
    if "Entry" in fields and any(f == "Sequence" or f.startswith("Gene Ontology") for f in fields):
        return "uniprot_tsv"
    return "gaf" if len(fields) >= _MIN_GAF_FIELDS and ":" in fields[4] else "tsv"
