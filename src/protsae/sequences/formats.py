"""The format of a file, recognised by its content and never by its name."""

import re
from pathlib import Path
from typing import Literal

from protsae.core.tables import split_fields
from protsae.core.text import first_lines
from protsae.sequences import airr

FileFormat = Literal["fasta", "uniprot_tsv", "swissprot_dat", "airr", "gaf", "gpad", "tsv"]
_MIN_GAF_FIELDS = 15
_N_LOOKED_AT = 20
_GPAD = re.compile(r"!\s*gpad?-version", re.IGNORECASE)


def detect_format(path: Path, content: str) -> FileFormat:
    """Recognise the format of a file by its first lines that are not blank.

    FASTA begins with `>`; GAF and GPAD with `!`, the latter naming its version there; a GAF without comments
    has 15 fields and more, the fifth of them an id with a colon; Swiss-Prot begins with `ID`; a UniProt
    export has the column `Entry` and one of `Sequence` or `Gene Ontology IDs`; a rearrangement table has one
    of AIRR's columns, perhaps after a line of JSON. All else is a plain table.

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
        return "gpad" if any(map(_GPAD.match, first_lines(path, _N_LOOKED_AT))) else "gaf"
    if line.startswith("ID   "):
        return "swissprot_dat"
    if airr.is_metadata(line):
        line = first_lines(path, 2, content)[-1]
    if airr.is_header(line):
        return "airr"
    fields = [field.strip() for field in split_fields(line)]
    names = {field.casefold() for field in fields}
    if "entry" in names and any(n == "sequence" or n.startswith("gene ontology") for n in names):
        return "uniprot_tsv"
    return "gaf" if len(fields) >= _MIN_GAF_FIELDS and ":" in fields[4] else "tsv"
