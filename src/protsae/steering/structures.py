"""Judge of structures: how sure a folding program is of a design, and how like the original it folds."""

import logging
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.core.files import write_text_atomic
from protsae.sequences.structures import KINDS, fit, read_structure
from protsae.steering.config import StructuresConfig

_LOGGER = logging.getLogger(__name__)
FOLDER_NAME, FOLDED_NAME = "structures", "structures.fasta"
STRUCTURE_COLUMNS = (
    *("id", "go_id", "sample", "structure", "plddt", "original_plddt", "tm_score", "n_residues"),
)
Floats = NDArray[np.float64]


def structure_names(designs: pd.DataFrame) -> tuple[dict[str, str], list[str]]:
    """Return the names of structures: of originals with their sequences, and of each design.

    A design is named `<protein>__<target>__<sample>`, with all but letters, digits, `.` and `-` written `_`.

    Raises:
        InputError: two proteins or designs of different sequences would get one name.
    """
    originals: dict[str, str] = {}
    names = []
    of_name: dict[str, str] = {}
    for name, target, sample, before, after in designs[
        ["id", "go_id", "sample", "original_sequence", "generated_sequence"]
    ].itertuples(index=False):
        own, design = _safe(name), f"{_safe(name)}__{_safe(target)}__{sample}"
        for key, sequence in ((own, before), (design, after)):
            if of_name.setdefault(key, sequence) != sequence:
                raise InputError(f"{name}: another protein has the file name {key} too: rename one of them")
        originals[own] = before
        names.append(design)
    return originals, names


def fold(designs: pd.DataFrame, folder: Path, config: StructuresConfig) -> None:
    """Write `structures.fasta`, and have the command make the structures that are missing.

    A structure is kept if its sequence is that of its name; another one of that name is made again.

    Args:
        designs: the table of designs.
        folder: of the designs; structures go to `structures` in it.
        config: has the command.

    Raises:
        InputError: the command cannot be run, fails, or leaves a structure out.
    """
    originals, names = structure_names(designs)
    wanted = originals | dict(zip(names, designs["generated_sequence"], strict=True))
    write_text_atomic(folder / FOLDED_NAME, _fasta(wanted))
    if not config.command:
        return
    target = folder / FOLDER_NAME
    target.mkdir(exist_ok=True)
    missing = {name: sequence for name, sequence in wanted.items() if not _is_of(target, name, sequence)}
    if not missing:
        return
    _LOGGER.info("folding %d of %d sequences by %s", len(missing), len(wanted), config.command[0])
    fasta = folder / "missing.fasta"
    write_text_atomic(fasta, _fasta(missing))
    command = [
        part.replace("{fasta}", str(fasta)).replace("{folder}", str(target)) for part in config.command
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise InputError(f"steering.structures.command: {command[0]} cannot be run ({error})") from error
    finally:
        fasta.unlink(missing_ok=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it printed nothing"]
        raise InputError(f"steering.structures.command ended with {done.returncode}: {said[-1]}")
    left = [name for name, sequence in missing.items() if not _is_of(target, name, sequence)]
    if left:
        raise InputError(
            f"steering.structures.command made no structure of {len(left)} of {len(missing)} sequences, such "
            f"as {target / left[0]}.pdb: it must write <name of the record>.pdb or .cif, with that sequence"
        )


def judge_structures(
    designs: pd.DataFrame, folder: Path | None, config: StructuresConfig | None = None
) -> pd.DataFrame:
    """Return what structures say of designs, a row for each design that has one.

    Args:
        designs: the table of designs.
        folder: with structures named as in `structures.fasta`; None: there are none.
        config: see `StructuresConfig.min_identity`.

    Returns:
        `STRUCTURE_COLUMNS`. `plddt`: mean confidence, 0 to 100, of the residues of the design, from the
        B-factors; `original_plddt` likewise, empty where there is no structure of the original or where it
        was found by experiment; `tm_score` between design and original, and over how many residues.

    Raises:
        InputError: a file is damaged, or is of another sequence.
    """
    minimum = (config or StructuresConfig()).min_identity
    names = structure_names(designs)[1]
    read: dict[str, tuple[Floats, Floats] | None] = {}

    def of(name: str, sequence: str) -> tuple[Floats, Floats] | None:
        if name not in read:
            path = None if folder is None else _path(folder, name)
            read[name] = None if path is None else _residues(path, sequence, minimum)
        return read[name]

    rows: list[dict[str, Any]] = []
    for name, (_, design) in zip(names, designs.iterrows(), strict=True):
        found = of(name, design["generated_sequence"])
        if found is None:
            continue
        before = of(_safe(design["id"]), design["original_sequence"])
        row = {"id": design["id"], "go_id": design["go_id"], "sample": design["sample"], "structure": name}
        row |= {"plddt": np.nanmean(found[1]), "original_plddt": np.nan, "tm_score": np.nan, "n_residues": 0}
        if before is not None:
            both = ~np.isnan(found[0][:, 0]) & ~np.isnan(before[0][:, 0])
            row["n_residues"] = int(both.sum())
            row["tm_score"] = tm_score(found[0][both], before[0][both], len(before[0]))
            if not np.isnan(before[1]).all():
                row["original_plddt"] = np.nanmean(before[1])
        rows.append(row)
    if folder is not None:
        _LOGGER.info("%d of %d designs have a structure in %s", len(rows), len(designs), folder)
    return pd.DataFrame(rows, columns=list(STRUCTURE_COLUMNS))


def tm_score(places: Floats, reference: Floats, length: int | None = None) -> float:
    """Return the TM-score of a structure whose residues correspond to those of a reference one by one.

    Of Zhang and Skolnick (2004): the mean over the reference's residues of 1 / (1 + (d / d0)^2) after the
    superposition that makes it largest, d0 = 1.24 (length - 15)^(1/3) - 1.8. Superpositions are searched from
    fragments of all, a half, a quarter ... of the residues, each refined by the residues that then lie close.

    Args:
        places: alpha carbons, in angstrom [n, 3].
        reference: likewise, of the reference [n, 3].
        length: residues of the reference, those without a partner included; None: n.

    Returns:
        From 0 to 1; above .5 two structures have the same fold. NaN for fewer than three residues.
    """
    n, total = len(places), length or len(places)
    if n < 3:
        return float("nan")
    d0 = max(0.5, 1.24 * np.cbrt(total - 15) - 1.8)
    near = float(np.clip(d0, 4.5, 8.0))
    best = 0.0
    size = n
    while size >= min(4, n):
        for start in range(0, n - size + 1, max(1, size // 4)):
            chosen = np.arange(start, start + size)
            for turn in range(20):
                distance = _distances(places, reference, chosen)
                best = max(best, float((1 / (1 + (distance / d0) ** 2)).sum()) / total)
                cut = near - 1 if turn == 0 else near + 1
                close = np.flatnonzero(distance < max(cut, np.sort(distance)[2] + 1e-9))
                if np.array_equal(close, chosen):
                    break
                chosen = close
        size //= 2
    return best


def _distances(places: Floats, reference: Floats, chosen: NDArray[np.intp]) -> Floats:
    """Return distances after the superposition that is best for the chosen residues (Kabsch, 1976)."""
    middle, aim = places[chosen].mean(axis=0), reference[chosen].mean(axis=0)
    u, _, vt = np.linalg.svd((places[chosen] - middle).T @ (reference[chosen] - aim))
    u[:, -1] *= np.sign(np.linalg.det(u @ vt))
    found: Floats = np.linalg.norm((places - middle) @ u @ vt - (reference - aim), axis=1)
    return found


def _residues(path: Path, sequence: str, minimum: float) -> tuple[Floats, Floats]:
    """Return alpha carbons [length, 3] and confidences [length] of a sequence; NaN: not in the file."""
    structure = read_structure(path)
    fits = [fit(chain.letters, sequence) for chain in structure.chains]
    best = max(range(len(fits)), key=lambda i: fits[i].identity * fits[i].n_aligned)
    if fits[best].identity < minimum:
        raise InputError(
            f"{path}: {fits[best].identity:.0%} of the {fits[best].n_aligned} aligned residues are those of "
            f"its sequence (steering.structures.min_identity: {minimum:.0%}): it is of another sequence"
        )
    chain = structure.chains[best]
    at = np.array([-1 if place is None else place for place in fits[best].of_protein])
    places, confidence = np.full((len(sequence), 3), np.nan), np.full(len(sequence), np.nan)
    places[at >= 0] = chain.places[at[at >= 0]]
    if not structure.is_experimental:
        values = np.array(chain.b_factors)
        confidence[at >= 0] = (values * (100 if values.max() <= 1 else 1))[at[at >= 0]]  # some write shares
    return places, confidence


def _is_of(folder: Path, name: str, sequence: str) -> bool:
    """Return whether there is a structure of this name and sequence."""
    path = _path(folder, name)
    if path is None:
        return False
    try:
        return any(chain.letters == sequence for chain in read_structure(path).chains)
    except InputError:
        return False


def _path(folder: Path, name: str) -> Path | None:
    return next((p for kind in KINDS if (p := folder / f"{name}{kind}").is_file()), None)


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "_", name)


def _fasta(sequences: dict[str, str]) -> str:
    return "".join(f">{name}\n{sequence}\n" for name, sequence in sequences.items())
