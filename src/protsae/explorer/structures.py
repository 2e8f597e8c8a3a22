"""Structures of the user's folder: which protein each belongs to, and which of its residues are which."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from protsae.core.errors import MALFORMED, InputError
from protsae.core.text import numbered_lines
from protsae.explorer.literals import decimals

KINDS = {".pdb": "pdb", ".ent": "pdb", ".cif": "cif", ".mmcif": "cif"}
"""Ending of a file to its format."""
_MIN_ALIGNED = 20
"""Residues that an alignment needs to say anything."""
_MAX_PLDDT = 100
_LOG = logging.getLogger(__name__)
Residues = list[int | str | None]
"""For each residue of a protein its number in a file, with an insertion code as text; None: not in it."""


class Chain(NamedTuple):
    """The residues of one chain that have an alpha carbon."""

    name: str
    letters: str
    numbers: list[int | str]
    b_factors: list[float]


class Fit(NamedTuple):
    """How the residues of a chain lie on a protein."""

    identity: float
    """Identical residues, as a share of the chain's from the first aligned one to the last."""
    n_aligned: int
    of_protein: list[int | None]
    """Position in the chain of each residue of the protein."""


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
            yield f"structure-{number}", {"text": _text(path), "kind": _kind(path)}


def read_structures(
    folder: Path | None, ids: Iterable[str], sequences: Iterable[str], min_identity: float
) -> Structures:
    """Read the structures of a folder and align each to its protein.

    A file belongs to the protein whose id is the file's name, or a part of it between `-`, `_` and `.`, as in
    `AF-P69905-F1-model_v4.cif`. What does not fit is refused on the protein's page, with the reason; this and
    files that name no protein are logged.

    Args:
        folder: with PDB and mmCIF files, plain or compressed; None: not given.
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
        if row is None or _kind(path) is None:
            unmatched.append(path.name)
            continue
        if not path.is_file():
            raise InputError(f"{path} is a named pipe, a device or a broken link: remove it from the folder")
        about = _about(path, letters[row], min_identity)
        if about["refused"]:
            _LOG.warning("%s: %s", path, about["refused"])
        of_protein.setdefault(row, []).append({"file": len(paths), **about})
        paths.append(path)
    if unmatched:
        _LOG.warning("%d files in %s name no protein of this run: %s", len(unmatched), folder, unmatched[0])
    return Structures(tuple(paths), of_protein, tuple(unmatched))


def _plain(path: Path) -> Path:
    """Return the path without the ending of compressed files."""
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def _kind(path: Path) -> str | None:
    return KINDS.get(_plain(path).suffix.lower())


def _names(path: Path) -> list[str]:
    stem = _plain(path).stem
    return [stem, *re.split(r"[-_.]", stem)]


def _text(path: Path) -> str:
    return "".join(f"{line}\n" for _, line in numbered_lines(path, "a structure"))


def _about(path: Path, sequence: str, min_identity: float) -> dict[str, Any]:
    """Return what a protein's page says of a structure."""
    title, chains = read_chains(path)
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
    confidence = np.array([np.nan if at is None else chain.b_factors[at] for at in found.of_protein])
    confidence[~((confidence >= 0) & (confidence <= _MAX_PLDDT))] = np.nan
    return {
        "name": path.name,
        "kind": _kind(path),
        "title": title,
        "chain": chain.name,
        "identity": round(found.identity, 4),
        "n_aligned": found.n_aligned,
        "refused": refused,
        "map": None if refused else number,
        "plddt": decimals(confidence, 1) if is_model and not refused else None,
    }


def read_chains(path: Path) -> tuple[str, list[Chain]]:
    """Return the title of a PDB or mmCIF file and the chains of its first model.

    Raises:
        InputError: the file is damaged, or has no residue with an alpha carbon.
    """
    import warnings

    from Bio.Data.PDBData import protein_letters_3to1_extended as letter_of
    from Bio.PDB.MMCIFParser import MMCIFParser
    from Bio.PDB.PDBExceptions import PDBConstructionException
    from Bio.PDB.PDBParser import PDBParser

    text = StringIO(_text(path))
    parser = (MMCIFParser if _kind(path) == "cif" else PDBParser)(QUIET=True)
    chains = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            structure = parser.get_structure(path.stem, text)  # type: ignore[no-untyped-call]
            model = next(iter(structure), ())
        for chain in model:
            kept = [residue for residue in chain if "CA" in residue and residue.id[0] in (" ", "H_MSE")]
            letters = [letter_of.get(residue.get_resname().strip(), "X") for residue in kept]
            numbers = [
                residue.id[1] if residue.id[2] == " " else f"{residue.id[1]}{residue.id[2]}"
                for residue in kept
            ]
            b_factors = [float(residue["CA"].get_bfactor()) for residue in kept]
            if kept:
                chains.append(Chain(chain.id, "".join(letters), numbers, b_factors))
    except (PDBConstructionException, *MALFORMED) as error:
        raise InputError(f"{path} cannot be read as a structure ({error}): download it again") from error
    if not chains:
        raise InputError(f"{path} has no chain of amino acids: remove it from the folder of structures")
    return str(structure.header.get("name") or ""), chains


def fit(chain: str, sequence: str) -> Fit:
    """Align the residues of a chain to a protein, locally.

    Residues that the structure lacks are gaps that cost little however long they are. Relatives of down to a
    third of identical residues are aligned as a whole, so that their identity is not that of their best part.
    """
    from Bio.Align import PairwiseAligner

    aligner = PairwiseAligner(mode="local", match_score=2, mismatch_score=-1)  # type: ignore[no-untyped-call]
    aligner.open_gap_score, aligner.extend_gap_score = -8, -0.05
    of_protein: list[int | None] = [None] * len(sequence)
    alignments = aligner.align(sequence, chain)  # type: ignore[no-untyped-call]
    if not len(alignments):
        return Fit(0.0, 0, of_protein)
    n_same = n_aligned = 0
    first, last = len(chain), 0
    for (start, end), (at, until) in zip(*alignments[0].aligned, strict=True):
        for place in range(int(end - start)):
            of_protein[int(start) + place] = int(at) + place
            n_same += sequence[int(start) + place] == chain[int(at) + place]
        n_aligned += int(end - start)
        first, last = min(first, int(at)), max(last, int(until))
    return Fit(n_same / max(last - first, 1), n_aligned, of_protein)
