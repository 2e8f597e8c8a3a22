"""Structures of proteins: the chains of PDB and mmCIF files, and how their residues lie on a sequence."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from protsae.core.errors import InputError

KINDS = {".pdb": "pdb", ".ent": "pdb", ".cif": "cif", ".mmcif": "cif"}
"""Ending of a file to its format."""


class Chain(NamedTuple):
    """The residues of one chain that have an alpha carbon."""

    name: str
    letters: str
    numbers: list[int | str]
    b_factors: list[float]
    places: NDArray[np.float64]
    """Of the alpha carbons, in angstrom [n_residues, 3]."""


class Structure(NamedTuple):
    """The first model of a file."""

    title: str
    is_experimental: bool
    """Whether the file names a method of experiment, so that its B-factors are no confidences."""
    chains: list[Chain]


class Fit(NamedTuple):
    """How the residues of a chain lie on a protein."""

    identity: float
    """Identical residues, as a share of the chain's from the first aligned one to the last."""
    n_aligned: int
    of_protein: list[int | None]
    """Position in the chain of each residue of the protein."""


def read_structure(path: Path) -> Structure:
    """Return the chains of the first model of a PDB or mmCIF file.

    Raises:
        InputError: the file is damaged, or has no residue with an alpha carbon.
    """
    import warnings

    from Bio.Data.PDBData import protein_letters_3to1_extended as letter_of
    from Bio.PDB.MMCIFParser import MMCIFParser
    from Bio.PDB.PDBExceptions import PDBConstructionException
    from Bio.PDB.PDBParser import PDBParser

    structure_text(path)
    parser = (MMCIFParser if KINDS[path.suffix.lower()] == "cif" else PDBParser)(QUIET=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            structure = parser.get_structure(path.stem, str(path))  # type: ignore[no-untyped-call]
            model = next(iter(structure), ())
    except (PDBConstructionException, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"{path} cannot be read as a structure ({error}): download it again") from error
    chains = []
    for chain in model:
        kept = [residue for residue in chain if "CA" in residue and residue.id[0] in (" ", "H_MSE")]
        if kept:
            chains.append(
                Chain(
                    chain.id,
                    "".join(letter_of.get(residue.get_resname().strip(), "X") for residue in kept),
                    [
                        residue.id[1] if residue.id[2] == " " else f"{residue.id[1]}{residue.id[2]}"
                        for residue in kept
                    ],
                    [float(residue["CA"].get_bfactor()) for residue in kept],
                    np.array([residue["CA"].coord for residue in kept], dtype=np.float64),
                )
            )
    if not chains:
        raise InputError(f"{path} has no chain of amino acids: remove it from the folder of structures")
    method = str(structure.header.get("structure_method") or "unknown").lower()
    return Structure(
        str(structure.header.get("name") or ""),
        method not in {"unknown", "?", "."} and "theoretical" not in method,
        chains,
    )


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


def structure_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        InputError: it is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no text of a structure ({error}): download it again") from error
