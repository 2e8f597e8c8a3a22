"""Binding sites as bindPredict gives them: a line per protein, with its 1-based positions."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from protsae.annotations.sources import ConceptSource, concept_source
from protsae.core.accessions import plain_accession
from protsae.core.errors import InputError
from protsae.core.tables import split_fields
from protsae.core.text import numbered_lines, whole_number

ASPECT = "binding"


def read_binding_sites(files: Mapping[str, Path]) -> ConceptSource:
    """Read one file per class of ligand: `accession<TAB>12,15,88`, no header.

    The classes are residue-level concepts `binding:<class>` in the aspect `binding`; the positions of a
    protein are one instance. A protein that any of the files lists is labelled for all classes: a file that
    leaves it out says that it binds no such ligand.

    Args:
        files: class of ligand to file.

    Raises:
        InputError: as `file:line: reason`, on anything else than such lines, or a protein given twice.
    """
    counts: Counter[str] = Counter(n_rows=0)
    spans: list[tuple[str, str, int, int, int]] = []
    terms = []
    listed: set[str] = set()
    for name, path in files.items():
        term_id = f"{ASPECT}:{name.replace(' ', '_')}"
        terms.append((term_id, f"{name} binding", ASPECT, f"Residues that bind: {name}.", "residue"))
        seen: dict[str, int] = {}
        for number, line in numbered_lines(path, "binding sites"):
            if not line.strip():
                continue
            accession, positions = _line(line, f"{path}:{number}")
            if accession in seen:
                raise InputError(
                    f"{path}:{number}: '{accession}' is already in line {seen[accession]}. Join the two lines"
                )
            seen[accession] = number
            counts["n_rows"] += 1
            spans += [(accession, term_id, 0, position - 1, position) for position in positions]
        listed |= seen.keys()
    return concept_source(ASPECT, terms, spans=spans, listed=listed, counts=dict(counts))


def _line(line: str, where: str) -> tuple[str, list[int]]:
    fields = [field.strip() for field in split_fields(line)]
    if len(fields) != 2 or not fields[0]:
        raise InputError(f"{where}: expected accession<TAB>positions, found {line[:60]!r}")
    positions = []
    for text in fields[1].split(","):
        if not (position := whole_number(text.strip())):
            raise InputError(f"{where}: {text[:20]!r} is not a 1-based position, in {line[:60]!r}")
        positions.append(position)
    return plain_accession(fields[0])[0], sorted(set(positions))
