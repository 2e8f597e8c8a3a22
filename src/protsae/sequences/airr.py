"""Rearrangement tables: AIRR's TSV, and OAS's data units (a line of JSON, then CSV, one or two chains a row).

Columns as the AIRR Community defines them (docs.airr-community.org, Rearrangement Schema): empty cells are
unknown, booleans are `T` and `F`. OAS: Olsen et al. 2022, doi:10.1002/pro.4205.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from protsae.core.errors import InputError
from protsae.core.tables import SHOWN, csv_fields
from protsae.core.text import numbered_lines
from protsae.sequences.germline import Gene, called_genes

REGIONS = {
    "FR1": "fwr1_aa",
    "CDR1": "cdr1_aa",
    "FR2": "fwr2_aa",
    "CDR2": "cdr2_aa",
    "FR3": "fwr3_aa",
    "CDR3": "cdr3_aa",
    "FR4": "fwr4_aa",
}
"""Region of a variable domain, in order, to its column."""
SEQUENCES = ("sequence_aa", "sequence_alignment_aa")
"""Columns of amino acids, best first."""
NUCLEOTIDES = ("sequence_alignment", "sequence")
"""Columns of nucleotides, best first: translated in the frame of the junction."""
CALLS = ("v_call", "d_call", "j_call")
COLUMNS = (
    *("sequence_id", "productive", "locus", *CALLS, *SEQUENCES, *NUCLEOTIDES),
    *("junction", "junction_aa", *REGIONS.values(), "n_mutations", "v_identity"),
)
"""The columns that are read."""
COUNTS = (
    *("n_rows", "n_columns_not_read", "n_chains_not_productive"),
    *("n_chains_without_sequence", "n_chains_with_stop_codon"),
)
"""What is counted of a table."""
SUFFIXES = ("_heavy", "_light")
_SIGNS = frozenset({*CALLS, *SEQUENCES, "junction_aa"})
"""Columns that tell a rearrangement table from others."""
_BOOLEANS = {"": True, "T": True, "TRUE": True, "F": False, "FALSE": False}
_GAPS = str.maketrans("", "", ".-")


class Chain(NamedTuple):
    """One chain of a row."""

    path: Path
    line: int
    """1-based line of the file."""
    chain_id: str
    """`sequence_id`, or `row` and the number of the row among the rows; then the suffix of a paired table."""
    values: dict[str, str]
    """Column (without suffix) to value, for all of `COLUMNS`; empty where unknown."""

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.path}:{self.line}"

    @property
    def cdr3(self) -> str:
        """The CDR3: `cdr3_aa`, or else the junction without its two anchors."""
        return self.values["cdr3_aa"] or self.values["junction_aa"][1:-1]

    def genes(self, column: str) -> tuple[Gene, ...]:
        """Return the genes of a call, see `germline.called_genes`.

        Raises:
            InputError: as `file:line: column: reason`.
        """
        try:
            return called_genes(self.values[column])
        except InputError as error:
            raise InputError(f"{self.where}: {column}: {error}") from None

    def amino_acids(self) -> str:
        """Return the amino acids without gaps; empty where there are none.

        The first of `sequence_aa` and `sequence_alignment_aa` that is not empty; else the translation of
        `sequence_alignment` or `sequence` in the frame in which `junction` lies, without partial codons.

        Raises:
            InputError: as `file:line: reason`, if nucleotides cannot be translated.
        """
        for column in SEQUENCES:
            if self.values[column]:
                return without_gaps(self.values[column])
        junction = self.values["junction"].upper()
        for column in NUCLEOTIDES:
            if junction and (bases := without_gaps(self.values[column]).upper()):
                return _translated(bases, junction, f"{self.where}: {column}")
        return ""


def is_metadata(line: str) -> bool:
    """Return whether a line is the JSON object that OAS puts before the header."""
    return line.lstrip().startswith(("{", '"{'))


def is_header(line: str) -> bool:
    """Return whether a line names columns of a rearrangement table."""
    names = {name.strip().strip('"') for name in line.split(_separator(line))}
    return any(f"{sign}{suffix}" in names for sign in _SIGNS for suffix in ("", *SUFFIXES))


def read_chains(
    path: Path, content: str, required: Sequence[Sequence[str]], counts: Counter[str]
) -> Iterator[Chain]:
    """Yield the chains of the productive rows; a row is productive unless `productive` says that it is not.

    Args:
        path: plain or compressed.
        content: what it should hold, for messages.
        required: groups of columns, of each of which the header must have one.
        counts: gains `n_rows`, `n_columns_not_read`, `n_chains_not_productive` and, of halves of pairs that
            are empty, `n_chains_without_sequence`.

    Raises:
        InputError: as `file:line: reason`, on a header without required columns or with one of `COLUMNS`
            twice, another number of fields, an empty id, a boolean of neither kind, quotes that do not end.
    """
    lines = _fields(path, content)
    number, names = next(lines)
    is_paired = any(f"{column}{suffix}" in names for column in COLUMNS for suffix in SUFFIXES)
    suffixes = SUFFIXES if is_paired else ("",)
    positions = [(suffix, _positions(names, suffix, f"{path}:{number}", required)) for suffix in suffixes]
    counts["n_columns_not_read"] = len(set(range(len(names))).difference(*(p.values() for _, p in positions)))
    for number, fields in lines:
        if len(fields) != len(names):
            raise InputError(
                f"{path}:{number}: {len(fields)} fields where the header has {len(names)}: "
                f"{' '.join(fields)[:SHOWN]!r}"
            )
        counts["n_rows"] += 1
        for suffix, places in positions:
            values = dict.fromkeys(COLUMNS, "") | {c: fields[at].strip() for c, at in places.items()}
            if suffix and not any(values.values()):
                counts["n_chains_without_sequence"] += 1  # half a pair
                continue
            if not _is_productive(values["productive"], f"{path}:{number}: productive{suffix}"):
                counts["n_chains_not_productive"] += 1
                continue
            name = values["sequence_id"] if "sequence_id" in places else f"row{counts['n_rows']}"
            if not name:
                raise InputError(f"{path}:{number}: no {names[places['sequence_id']]} in this row")
            yield Chain(path, number, f"{name}{suffix}", values)
    if not counts["n_rows"]:
        raise InputError(f"{path}: a header and no {content} below it")


def without_gaps(aligned: str) -> str:
    """Return an aligned sequence without its gaps, `.` and `-`."""
    return aligned.translate(_GAPS)


def _translated(bases: str, junction: str, where: str) -> str:
    from Bio.Data.CodonTable import TranslationError
    from Bio.Seq import reverse_complement, translate

    at = bases.find(junction)
    if at < 0:  # `rev_comp` says so, but not every program turns the sequence too
        bases = str(reverse_complement(bases))  # type: ignore[no-untyped-call]
        at = bases.find(junction)
    if at < 0:
        return ""
    start = at % 3
    end = len(bases) - (len(bases) - start) % 3
    try:
        return str(translate(bases[start:end]))  # type: ignore[no-untyped-call]
    except TranslationError as error:
        raise InputError(f"{where} is not a sequence of nucleotides ({error}). Correct it") from None


def _separator(header: str) -> str:
    return "\t" if "\t" in header else ","


def _fields(path: Path, content: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the header and then the rows as fields, without OAS's line of JSON and without blank lines."""
    lines = ((number, line) for number, line in numbered_lines(path, content) if line.strip(" "))
    number, header = next(lines)
    if is_metadata(header):
        number, header = next(lines, (number, ""))
    separator = _separator(header)
    for number, line in chain([(number, header)], lines):  # noqa: B020 - the header is the first line
        yield number, csv_fields(line, separator, f"{path}:{number}")


def _positions(
    names: Sequence[str], suffix: str, where: str, required: Sequence[Sequence[str]]
) -> dict[str, int]:
    """Return the position of each column of `COLUMNS` that there is, for the chain of a suffix."""
    stripped = [name.strip() for name in names]
    positions = {}
    for column in COLUMNS:
        named = f"{column}{suffix}"
        if column == "sequence_id" and named not in stripped:
            named = column
        if stripped.count(named) > 1:
            raise InputError(f"{where}: the header names {named} twice. Remove one")
        if named in stripped:
            positions[column] = stripped.index(named)
    for group in required:
        if not any(column in positions for column in group):
            raise InputError(
                f"{where}: the header has no column {' or '.join(f'{column}{suffix}' for column in group)}; "
                f"found {', '.join(stripped)[:SHOWN]!r}. AIRR's Rearrangement Schema names the columns; "
                "kedro number-chains makes such a table of sequences"
            )
    return positions


def _is_productive(value: str, where: str) -> bool:
    if value.upper() not in _BOOLEANS:
        raise InputError(f"{where} is '{value}', which is neither T nor F. Correct it")
    return _BOOLEANS[value.upper()]
