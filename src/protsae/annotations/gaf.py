"""The annotation files of the Gene Ontology Consortium: GAF 2.0 to 2.2, GPAD 1.1 and 2.0.

Tab-separated, with `!` comments. GAF has 15 to 17 columns, GPAD 10 to 12.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from protsae.annotations.builder import RowBuilder
from protsae.annotations.table import is_negated
from protsae.core.errors import InputError
from protsae.core.tables import SHOWN
from protsae.core.text import numbered_lines

VERSIONS = ("2.0", "2.1", "2.2")
N_COLUMNS = range(15, 18)
GPAD_VERSIONS = ("1.1", "2.0")
GPAD_COLUMNS = range(10, 13)
DATABASE = "UniProtKB"
CODE_OF_ECO = {
    **dict.fromkeys(("0000256", "0000259", "0000265", "0000501", "0007669", "0007826"), "IEA"),
    "0000269": "EXP",
    "0000314": "IDA",
    "0000353": "IPI",
    "0000315": "IMP",
    "0000316": "IGI",
    "0000270": "IEP",
    "0006056": "HTP",
    "0007005": "HDA",
    "0007001": "HMP",
    "0007003": "HGI",
    "0007007": "HEP",
    "0000318": "IBA",
    "0000319": "IBD",
    "0000320": "IKR",
    "0000321": "IRD",
    "0000250": "ISS",
    "0000266": "ISO",
    "0000247": "ISA",
    "0000255": "ISM",
    "0000317": "IGC",
    "0000245": "RCA",
    "0000304": "TAS",
    "0000303": "NAS",
    "0000305": "IC",
    "0000307": "ND",
}
"""Number of the evidence ontology to GO's code, as the Consortium's `gaf-eco-mapping` gives them."""
_REQUIRED = {0: "DB", 1: "DB Object ID", 4: "GO ID", 6: "evidence code", 8: "aspect"}
_GPAD_REQUIRED = {0: "DB", 1: "DB Object ID", 3: "ontology class", 5: "evidence"}
_ASPECTS = ("F", "P", "C")
_VERSION = re.compile(r"!\s*(?:gaf|gpad?)-version\s*:\s*(\S+)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class _Row:
    """One annotation."""

    accession: str
    term_id: str
    evidence: str
    qualifier: str
    form: str
    """Gene product form, of whatever database; often empty."""


def read_gaf(
    path: Path, rows: RowBuilder, counts: Counter[str], databases: Sequence[str] = (DATABASE,)
) -> None:
    """Add the rows of some databases; those of others (ComplexPortal, RNAcentral) are counted.

    A file without `!gaf-version` is read as 2.1, whose qualifier may be empty. A gene product form
    (column 17) that is an isoform of the accession goes to `isoform_id`; other forms, such as chains, are
    counted and the row stays with its accession.

    Args:
        path: the file.
        rows: gains a row per line of these databases.
        counts: gains `gaf_version.<version>`, `n_rows_in_file`, rows per other database and per qualifier,
            `n_rows_of_other_databases`, `n_rows_of_other_forms`.
        databases: whose ids the sequences have. The names that UniProt had before count as UniProtKB.

    Raises:
        InputError: another version; a line of these databases with other than 15 to 17 columns, without one
            of the required ones, with another aspect than F, P or C; in 2.2, without a relation; no rows.
    """
    _read(path, "gaf", VERSIONS, _gaf_row, rows, counts, databases)


def read_gpad(
    path: Path, rows: RowBuilder, counts: Counter[str], databases: Sequence[str] = (DATABASE,)
) -> None:
    """Add the rows of a GPAD file, 1.1 or 2.0; see `read_gaf` for what is counted.

    The evidence is the property `go_evidence`, else GO's code for the class of the evidence ontology, else
    that class.

    Raises:
        InputError: as `read_gaf`; also without `!gpa-version` or `!gpad-version` on top.
    """
    _read(path, "gpad", GPAD_VERSIONS, _gpad_row, rows, counts, databases)


def _read(
    path: Path,
    kind: str,
    versions: Sequence[str],
    row_of: Callable[[Path, int, str, str], _Row],
    rows: RowBuilder,
    counts: Counter[str],
    wanted: Sequence[str],
) -> None:
    version = ""
    n_rows = 0
    databases: Counter[str] = Counter()
    qualifiers: Counter[str] = Counter()
    for number, line in numbered_lines(path, "annotations"):
        if line.startswith("!"):
            version = _version(path, number, line, version, n_rows, versions)
            continue
        if not line.strip():
            continue
        n_rows += 1
        database = _name(line.partition("\t")[0].partition(":")[0])
        if database not in wanted and "\t" in line:
            databases[database] += 1
            continue
        row = row_of(path, number, line, version)
        qualifiers[row.qualifier or "(none)"] += 1
        isoform_id = ""
        if row.form:
            isoform_id = _isoform(row.form, row.accession)
            counts["n_rows_of_other_forms"] += not isoform_id
        rows.add(row.accession, row.term_id, row.evidence, is_negated(row.qualifier), isoform_id)
    if not len(rows):
        found = ", ".join(f"{name}: {n}" for name, n in sorted(databases.items())) or "none"
        raise InputError(
            f"{path}: no annotation of {', '.join(wanted)} in {n_rows} rows; rows per database: {found}. If "
            "your sequences have ids of such a database, name it in annotation.annotations.databases; else "
            "translate the ids to UniProt's (ID mapping on its web site)"
        )
    counts[f"{kind}_version.{version or '(none)'}"] += 1
    counts["n_rows_in_file"] += n_rows
    counts["n_rows_of_other_databases"] += databases.total()
    counts.update({f"n_rows_per_other_database.{name}": n for name, n in sorted(databases.items())})
    counts.update({f"n_rows_per_qualifier.{name}": n for name, n in sorted(qualifiers.items())})


def _name(database: str) -> str:
    """Return a database's name of today."""
    name = database.strip()
    return DATABASE if name.casefold().startswith(("uniprot", "swiss-prot", "trembl")) else name or "(none)"


def _version(path: Path, number: int, line: str, before: str, n_rows: int, versions: Sequence[str]) -> str:
    """Return the version of the file: the first that a comment declares, as later ones may be quoted."""
    match = _VERSION.fullmatch(line)
    if match is None or (before and not n_rows):
        return before
    if match[1] not in versions:
        raise InputError(
            f"{path}:{number}: version {match[1]}; versions {', '.join(versions)} are read. "
            "Download a current file"
        )
    if n_rows:
        raise InputError(
            f"{path}:{number}: a second file begins here. Give one file: remove the lines that begin with '!'"
        )
    return match[1]


def _fields(path: Path, number: int, line: str, name: str, n_columns: range) -> list[str]:
    """Return the fields of a line, empty ones added for the last columns if they are left out."""
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) not in n_columns:
        raise InputError(
            f"{path}:{number}: {len(fields)} tab-separated columns, where {name} has {n_columns[0]} to "
            f"{n_columns[-1]}: {line[:SHOWN]!r}"
        )
    return fields + [""] * (n_columns[-1] - len(fields))


def _check_given(path: Path, number: int, line: str, fields: list[str], required: dict[int, str]) -> None:
    for position, name in required.items():
        if not fields[position]:
            raise InputError(f"{path}:{number}: no {name} (column {position + 1}): {line[:SHOWN]!r}")


def _gaf_row(path: Path, number: int, line: str, version: str) -> _Row:
    fields = _fields(path, number, line, "GAF", N_COLUMNS)
    _check_given(path, number, line, fields, _REQUIRED)
    if fields[8] not in _ASPECTS:
        raise InputError(f"{path}:{number}: aspect {fields[8]!r} is none of {', '.join(_ASPECTS)}")
    if version == "2.2" and fields[3] in ("", "NOT"):
        raise InputError(
            f"{path}:{number}: qualifier {fields[3]!r} names no relation, which GAF 2.2 requires. "
            "If the file is GAF 2.1, say so in its first line: !gaf-version: 2.1"
        )
    return _Row(fields[1], fields[4], fields[6], fields[3], fields[16])


def _gpad_row(path: Path, number: int, line: str, version: str) -> _Row:
    fields = _fields(path, number, line, "GPAD", GPAD_COLUMNS)
    if version == "2.0":  # DB:id in one column, negation and relation in two
        database, _, name = fields[0].partition(":")
        qualifier = "|".join(filter(None, fields[1:3]))
        fields = [database, name, qualifier, *fields[3:], ""]
    elif not version:
        raise InputError(f"{path}:{number}: no '!gpa-version: 1.1' or '!gpad-version: 2.0' on top. Add it")
    _check_given(path, number, line, fields, _GPAD_REQUIRED)
    properties = dict(item.partition("=")[::2] for item in fields[11].split("|"))
    eco = fields[5].removeprefix("ECO:")
    evidence = properties.get("go_evidence") or CODE_OF_ECO.get(eco, fields[5])
    accession, _, part = fields[1].partition(":PRO_")
    return _Row(accession, fields[3], evidence, fields[2], f"PRO_{part}" if part else "")


def _isoform(form: str, accession: str) -> str:
    """Return the isoform id of a gene product form such as `UniProtKB:P12345-2`, '' for other forms."""
    name = form.removeprefix(f"{DATABASE}:")
    return name if re.fullmatch(re.escape(accession) + r"-\d+", name) else ""
