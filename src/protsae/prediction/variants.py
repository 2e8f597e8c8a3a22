"""Tables of substitutions: `A123G`, several joined by `:`, as ProteinGym and others write them."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from math import nan
from pathlib import Path
from typing import NamedTuple

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.core.tables import PROTEIN_COLUMNS, SHOWN, csv_fields
from protsae.core.text import numbered_lines
from protsae.prediction.proteins import Proteins
from protsae.sequences.fasta import FastaRecord, clean_record
from protsae.sequences.records import RecordsConfig

VARIANT_COLUMNS = ("mutant", "variant", "mutations", "substitutions")
"""Names that the column of substitutions may have, in any case; the first is ProteinGym's."""
MUTATED = "mutated_sequence"
"""ProteinGym's column of the whole sequence after the substitutions."""
_PROTEINS = (*PROTEIN_COLUMNS, "target_id")
_SUBSTITUTION = re.compile(r"([A-Za-z])([0-9]{1,9})([A-Za-z*=])")
_MAX_SCORE = 1e30
"""In absolute value: squares of larger ones are none that a computer adds up."""


class Substitution(NamedTuple):
    """One residue in place of another."""

    wild_type: str
    position: int
    """1-based."""
    letter: str


class Variant(NamedTuple):
    """A protein with some residues replaced."""

    protein_id: str
    name: str
    """As written, in upper case: `A123G:C124D`."""
    substitutions: tuple[Substitution, ...]
    line: int
    """Of the file, 1-based."""
    score: float | None
    """As measured; None: not given."""

    def sequence(self, wild_type: str) -> str:
        """Return the residues after the substitutions."""
        letters = list(wild_type)
        for substitution in self.substitutions:
            letters[substitution.position - 1] = substitution.letter
        return "".join(letters)


def read_variants(path: Path, proteins: Proteins, score_column: str) -> tuple[list[Variant], Proteins]:
    """Read a table of variants, comma- or tab-separated, and check every row against its wild type.

    The protein is that of a column such as `protein_id`, or the only one that is given. If none is given, the
    wild type is taken from `mutated_sequence`, and named after the file.

    Args:
        path: plain or compressed.
        proteins: the wild types.
        score_column: column of measured scores, if the table has it.

    Returns:
        The variants in the order of the file, and the wild types.

    Raises:
        InputError: as `file:line: reason`, on a row that is no variant of its protein, or is there twice.
    """
    found: list[Variant] = []
    lines: dict[tuple[str, str], int] = {}
    by_id = proteins.by_id
    for number, row in _rows(path, score_column):
        where = f"{path}:{number}"
        substitutions = _parse(row["variant"], where)
        if not by_id:
            name = re.sub(r"[^\w+-]+", "_", path.name.partition(".")[0]) or "protein"
            by_id = {name: _wild_type(name, row, substitutions, where)}
            proteins = Proteins((name,), ("from the table of variants",), (by_id[name],), {})
        protein_id = _owner(row, by_id, where)
        wild_type = by_id[protein_id]
        _check(substitutions, wild_type, protein_id, where)
        name = ":".join(f"{s.wild_type}{s.position}{s.letter}" for s in substitutions)
        variant = Variant(protein_id, name, substitutions, number, _score(row, score_column, where))
        if (mutated := row.get(MUTATED)) and mutated.upper() != variant.sequence(wild_type):
            raise InputError(
                f"{where}: {MUTATED} is not {protein_id} with {name}: give the sequence that the table is of"
            )
        if (first := lines.setdefault((protein_id, name), number)) != number:
            raise InputError(
                f"{where}: {name} of {protein_id} is already in line {first}: keep one of the rows"
            )
        found.append(variant)
    if not found:
        raise InputError(f"{path}: a header and no variants below it")
    return found, proteins


def _rows(path: Path, score_column: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line and `variant`, `protein`, `mutated_sequence` and the score, those that there are."""
    lines = ((number, line) for number, line in numbered_lines(path, "variants") if line.strip())
    number, first = next(lines)
    separator = "\t" if "\t" in first else ","
    header = [name.strip() for name in csv_fields(first, separator, f"{path}:{number}")]
    lower = [name.casefold() for name in header]
    places = {
        key: lower.index(name)
        for key, names in {
            "variant": VARIANT_COLUMNS,
            "protein": [name.casefold() for name in _PROTEINS],
            MUTATED: (MUTATED,),
            score_column: (score_column.casefold(),),
        }.items()
        for name in [next((name for name in names if name in lower), None)]
        if name is not None
    }
    if "variant" not in places:
        raise InputError(
            f"{path}:{number}: the header has no column {' or '.join(VARIANT_COLUMNS)}; found "
            f"{', '.join(header)[:SHOWN]!r}. Name the columns in the first line, separated by commas or tabs"
        )
    if twice := [header[place] for place in places.values() if lower.count(lower[place]) > 1]:
        raise InputError(f"{path}:{number}: the header names {twice[0]} twice. Remove one of the columns")
    for number, line in lines:
        cells = csv_fields(line, separator, f"{path}:{number}")
        if len(cells) != len(header):
            raise InputError(
                f"{path}:{number}: {len(cells)} fields where the header has {len(header)}: {line[:SHOWN]!r}"
            )
        yield number, {key: cells[place].strip() for key, place in places.items()}


def _parse(text: str, where: str) -> tuple[Substitution, ...]:
    found = []
    for part in re.split(r"[:;,]", text):
        match = _SUBSTITUTION.fullmatch(part.strip())
        if match is None or not set(match[1].upper() + match[3].upper()) <= set(AMINO_ACIDS):
            raise InputError(
                f"{where}: {part.strip()[:SHOWN]!r} is no substitution such as A123G (one-letter codes of "
                "the twenty amino acids, 1-based; several joined by ':'). Insertions, deletions and stops "
                "are not compared: remove the row"
            )
        found.append(Substitution(match[1].upper(), int(match[2]), match[3].upper()))
    if len({s.position for s in found}) < len(found):
        raise InputError(f"{where}: {text[:SHOWN]!r} replaces one position twice: give it once")
    return tuple(sorted(found, key=lambda s: s.position))


def _wild_type(name: str, row: Mapping[str, str], substitutions: tuple[Substitution, ...], where: str) -> str:
    mutated = row.get(MUTATED, "").upper()
    if not mutated or max(s.position for s in substitutions) > len(mutated):
        raise InputError(
            f"{where}: variants of which protein? Give it as prediction.fasta or prediction.sequence, or the "
            f"column {MUTATED}"
        )
    back = (s._replace(letter=s.wild_type) for s in substitutions)
    record = FastaRecord(name, "", Variant("", "", tuple(back), 0, None).sequence(mutated))
    return clean_record(lambda _: where, record, RecordsConfig(), Counter()).sequence


def _owner(row: Mapping[str, str], by_id: Mapping[str, str], where: str) -> str:
    if name := row.get("protein"):
        if name not in by_id:
            shown = ", ".join(list(by_id)[:3])
            raise InputError(
                f"{where}: protein '{name[:SHOWN]}' is not among the {len(by_id)} given ({shown}"
                f"{', ...' if len(by_id) > 3 else ''}): add it to prediction.fasta"
            )
        return name
    if len(by_id) > 1:
        raise InputError(
            f"{where}: variants of which of the {len(by_id)} proteins? Add a column {_PROTEINS[1]}, with a "
            "value in every row"
        )
    return next(iter(by_id))


def _check(substitutions: tuple[Substitution, ...], wild_type: str, protein_id: str, where: str) -> None:
    for letter, position, to in substitutions:
        if not 1 <= position <= len(wild_type):
            raise InputError(
                f"{where}: {letter}{position}{to}: {protein_id} has {len(wild_type)} residues. Positions are "
                "1-based in the sequence that is given"
            )
        if (there := wild_type[position - 1]) != letter:
            raise InputError(
                f"{where}: {letter}{position}{to}: {protein_id} has {there} at position {position}, the "
                f"variant says {letter}. Is it numbered after another sequence? Positions are 1-based"
            )


def _score(row: Mapping[str, str], column: str, where: str) -> float | None:
    text = row.get(column, "")
    if not text or text.casefold() in ("nan", "na"):
        return None
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not abs(value) <= _MAX_SCORE:
        raise InputError(
            f"{where}: {column} is {text[:SHOWN]!r}, which is no number of at most {_MAX_SCORE:g}; an empty "
            "cell is unknown"
        )
    return value
