"""GAF 2.1 and 2.2, the annotation files of the Gene Ontology Consortium: 17 columns, `!` comments."""

import re
from collections import Counter
from pathlib import Path

from protsae.annotations.builder import RowBuilder
from protsae.annotations.table import is_negated
from protsae.core.errors import InputError
from protsae.core.tables import SHOWN
from protsae.core.text import numbered_lines

VERSIONS = ("2.1", "2.2")
N_COLUMNS = 17
DATABASE = "UniProtKB"
_REQUIRED = {0: "DB", 1: "DB Object ID", 4: "GO ID", 6: "evidence code", 8: "aspect"}
_ASPECTS = ("F", "P", "C")
_VERSION = re.compile(r"!\s*gaf-version\s*:\s*(\S+)\s*", re.IGNORECASE)


def read_gaf(path: Path, rows: RowBuilder, counts: Counter[str]) -> None:
    """Add the rows of UniProtKB; those of other databases (ComplexPortal, RNAcentral) are counted.

    A file without `!gaf-version` is read as 2.1, whose qualifier may be empty. A gene product form
    (column 17) that is an isoform of the accession goes to `isoform_id`; other forms, such as chains, are
    counted and the row stays with its accession.

    Args:
        path: the file.
        rows: gains a row per line of UniProtKB.
        counts: gains `gaf_version.<version>`, `n_rows_in_file`, rows per other database and per qualifier,
            `n_rows_of_other_databases`, `n_rows_of_other_forms`.

    Raises:
        InputError: another version; a line with other than 17 columns, without one of the required ones, with
            another aspect than F, P or C; in 2.2, without a relation; no rows of UniProtKB.
    """
    version = ""
    n_rows = 0
    databases: Counter[str] = Counter()
    qualifiers: Counter[str] = Counter()
    for number, line in numbered_lines(path, "annotations"):
        if line.startswith("!"):
            version = _version(path, number, line, n_rows) or version
            continue
        if not line.strip():
            continue
        fields = _fields(path, number, line, version)
        n_rows += 1
        if fields[0] != DATABASE:
            databases[fields[0]] += 1
            continue
        qualifiers[fields[3] or "(none)"] += 1
        isoform_id = ""
        if fields[16]:
            isoform_id = _isoform(fields[16], fields[1])
            counts["n_rows_of_other_forms"] += not isoform_id
        rows.add(fields[1], fields[4], fields[6], is_negated(fields[3]), isoform_id)
    if not len(rows):
        found = ", ".join(f"{name}: {n}" for name, n in sorted(databases.items())) or "none"
        raise InputError(f"{path}: no annotation of {DATABASE} in {n_rows} rows; rows per database: {found}")
    counts[f"gaf_version.{version or '(none)'}"] += 1
    counts["n_rows_in_file"] += n_rows
    counts["n_rows_of_other_databases"] += databases.total()
    counts.update({f"n_rows_per_other_database.{name}": n for name, n in sorted(databases.items())})
    counts.update({f"n_rows_per_qualifier.{name}": n for name, n in sorted(qualifiers.items())})


def _version(path: Path, number: int, line: str, n_rows: int) -> str:
    """Return the version that a comment declares, '' if it declares none."""
    match = _VERSION.fullmatch(line)
    if match is None:
        return ""
    if match[1] not in VERSIONS:
        raise InputError(
            f"{path}:{number}: GAF {match[1]}; versions {' and '.join(VERSIONS)} are read. "
            "Download a current file"
        )
    if n_rows:
        raise InputError(
            f"{path}:{number}: a second file begins here. Give one file: remove the lines that begin with '!'"
        )
    return match[1]


def _fields(path: Path, number: int, line: str, version: str) -> list[str]:
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) != N_COLUMNS:
        hint = ". The last ones may be empty; were blanks at line ends stripped?" if len(fields) > 14 else ""
        raise InputError(
            f"{path}:{number}: {len(fields)} tab-separated columns, where GAF has {N_COLUMNS}: "
            f"{line[:SHOWN]!r}{hint}"
        )
    for position, name in _REQUIRED.items():
        if not fields[position]:
            raise InputError(f"{path}:{number}: no {name} (column {position + 1}): {line[:SHOWN]!r}")
    if fields[8] not in _ASPECTS:
        raise InputError(f"{path}:{number}: aspect {fields[8]!r} is none of {', '.join(_ASPECTS)}")
    if version == "2.2" and fields[3] in ("", "NOT"):
        raise InputError(
            f"{path}:{number}: qualifier {fields[3]!r} names no relation, which GAF 2.2 requires. "
            "If the file is GAF 2.1, say so in its first line: !gaf-version: 2.1"
        )
    return fields


def _isoform(form: str, accession: str) -> str:
    """Return the isoform id of a gene product form such as `UniProtKB:P12345-2`, '' for other forms."""
    name = form.removeprefix(f"{DATABASE}:")
    return name if re.fullmatch(re.escape(accession) + r"-\d+", name) else ""
