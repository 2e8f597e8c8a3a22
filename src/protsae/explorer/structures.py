"""Structures of the user's folder: which protein each belongs to, and which of its residues are which."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from protsae.explorer.literals import decimals
from protsae.sequences.structures import KINDS, fit, read_structure, structure_text

_MIN_ALIGNED = 20
"""Residues that an alignment needs to say anything."""
_LOG = logging.getLogger(__name__)
Residues = list[int | str | None]
"""For each residue of a protein its number in a file, with an insertion code as text; None: not in it."""


@dataclass(frozen=True)
class Structures:
    """What the folder of structures holds.

    Attributes:
        paths: the files that belong to a protein, in the order of their data files.
        of_protein: row of the protein to what its page says of them.
        unmatched: names of files that name no protein of the run.
    """

    paths: tuple[Path, ...] = ()
    of_protein: Mapping[int, list[dict[str, Any]]] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()

    def files(self) -> Iterator[tuple[str, Any]]:
        """Yield a data file with the text of each structure."""
        for number, path in enumerate(self.paths):
            yield f"structure-{number}", {"text": structure_text(path), "kind": KINDS[path.suffix.lower()]}


def read_structures(
    folder: Path | None, ids: Iterable[str], sequences: Iterable[str], min_identity: float
) -> Structures:
    """Read the structures of a folder and align each to its protein.

    A file belongs to the protein whose id is the file's name, or a part of it between `-`, `_` and `.`, as in
    `AF-P69905-F1-model_v4.cif`. What does not fit is refused on the protein's page, with the reason; this and
    files that name no protein are logged.

    Args:
        folder: with PDB and mmCIF files; None: not given.
        ids: of the proteins.
        sequences: of the proteins.
        min_identity: of the best chain to the protein; see `Fit`.

    Raises:
        InputError: a file is damaged or has no chain of amino acids.
    """
    rows = {name: row for row, name in enumerate(ids)}
    letters = list(sequences)
    paths: list[Path] = []
    of_protein: dict[int, list[dict[str, Any]]] = {}
    unmatched = []
    for path in sorted(folder.iterdir()) if folder is not None else ():
        if path.name.startswith(".") or path.is_dir():
            continue
        row = next((rows[part] for part in _names(path) if part in rows), None)
        if row is None or path.suffix.lower() not in KINDS:
            unmatched.append(path.name)
            continue
        about = _about(path, letters[row], min_identity)
        if about["refused"]:
            _LOG.warning("%s: %s", path, about["refused"])
        of_protein.setdefault(row, []).append({"file": len(paths), **about})
        paths.append(path)
    if unmatched:
        _LOG.warning("%d files in %s name no protein of this run: %s", len(unmatched), folder, unmatched[0])
    return Structures(tuple(paths), of_protein, tuple(unmatched))


def _names(path: Path) -> list[str]:
    return [path.stem, *re.split(r"[-_.]", path.stem)]


def _about(path: Path, sequence: str, min_identity: float) -> dict[str, Any]:
    """Return what a protein's page says of a structure."""
    title, _, chains = read_structure(path)
    fits = [fit(chain.letters, sequence) for chain in chains]
    best = max(range(len(fits)), key=lambda i: round(fits[i].identity * fits[i].n_aligned))
    chain, found = chains[best], fits[best]
    refused = None
    if found.n_aligned < min(_MIN_ALIGNED, len(sequence)) or found.identity < min_identity:
        refused = (
            f"of {found.n_aligned} aligned residues of chain {chain.name}, {found.identity:.0%} are those of "
            f"the protein (wanted: {min_identity:.0%} by explorer.min_identity, of {_MIN_ALIGNED} or more): "
            "this looks like a structure of another protein"
        )
    number: Residues = [None if at is None else chain.numbers[at] for at in found.of_protein]
    is_model = path.stem.upper().startswith("AF-") or "ALPHAFOLD" in title.upper()
    confidence = [np.nan if at is None else chain.b_factors[at] for at in found.of_protein]
    return {
        "name": path.name,
        "kind": KINDS[path.suffix.lower()],
        "title": title,
        "chain": chain.name,
        "identity": round(found.identity, 4),
        "n_aligned": found.n_aligned,
        "refused": refused,
        "map": None if refused else number,
        "plddt": decimals(confidence, 1) if is_model and not refused else None,
    }
