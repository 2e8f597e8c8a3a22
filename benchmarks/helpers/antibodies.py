"""Antibodies of a rearrangement table with the truth about them: regions, calls, and what mutated."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.sequences.airr import REGIONS, read_chains
from protsae.sequences.fasta import FastaConfig, read_fasta
from protsae.sequences.table import protein_of_id

NAMES = tuple(REGIONS)
V_REGIONS = NAMES[:5]
EVIDENCE = {
    **dict.fromkeys(("v_gene", "v_subgroup", "locus"), "v"),
    "j_gene": "j",
    **dict.fromkeys(("d_gene", "cdr3_length_heavy", "cdr3_length_light"), "cdr3"),
    "mutation_load": "mutated",
}
"""Class of concepts to the residues that carry it: FR1 to FR3; the last four of CDR3 and FR4; CDR3; residues
that differ from the germline V allele."""
_J_IN_CDR3 = 4


class Antibody(NamedTuple):
    """One chain."""

    sequence: str
    bounds: tuple[int, ...]
    """Where each of `NAMES` begins, and where the last one ends [8]."""
    v_calls: tuple[str, ...]
    """Tied V alleles."""
    j_call: str
    """The first of the tied J alleles."""
    n_mutations: int

    def region(self, name: str) -> slice:
        """Return the residues of a region."""
        at = NAMES.index(name)
        return slice(self.bounds[at], self.bounds[at + 1])

    def germline(self, alleles: Mapping[str, str]) -> str | None:
        """Return the residues of the first tied V allele that there is, as far as FR3 reaches; None: none."""
        found = next((alleles[call] for call in self.v_calls if call in alleles), None)
        return None if found is None else found[: self.region(V_REGIONS[-1]).stop]

    def evidence(self, alleles: Mapping[str, str]) -> dict[str, NDArray[np.bool_]]:
        """Return the residues of each kind of evidence in `EVIDENCE`, bool [length].

        `mutated` marks none if the allele is not known.
        """
        found = {name: np.zeros(len(self.sequence), bool) for name in EVIDENCE.values()}
        cdr3, fr4 = self.region("CDR3"), self.region("FR4")
        found["v"][self.bounds[0] : self.region(V_REGIONS[-1]).stop] = True
        found["cdr3"][cdr3] = True
        found["j"][max(cdr3.start, cdr3.stop - _J_IN_CDR3) : fr4.stop] = True
        pairs = zip(self.sequence, self.germline(alleles) or "", strict=False)
        differs = [one != other for one, other in pairs]
        found["mutated"][: len(differs)] = differs
        return found


def read_antibodies(path: Path, sequences: pd.DataFrame) -> tuple[dict[str, Antibody], int]:
    """Return the antibodies of a table by protein id, and how many chains its regions do not fill.

    Args:
        path: a rearrangement table with regions.
        sequences: `protein_id`, `aliases`, `sequence`; others are not read.
    """
    owner = protein_of_id(sequences)
    sequence_of = dict(zip(sequences["protein_id"], sequences["sequence"], strict=True))
    found, n_left_out = {}, 0
    for chain in read_chains(path, "rearrangements", (("v_call",), ("j_call",)), Counter()):
        protein_id = owner.get(chain.chain_id)
        if protein_id is None or protein_id in found:
            continue
        texts = [chain.values[column] for column in REGIONS.values()]
        if not all(texts) or "".join(texts) != sequence_of[protein_id]:
            n_left_out += 1
            continue
        v, j = (tuple(chain.values[call].split(",")) for call in ("v_call", "j_call"))
        bounds = (0, *accumulate(map(len, texts)))
        mutations = int(chain.values["n_mutations"] or 0)
        found[protein_id] = Antibody(sequence_of[protein_id], bounds, v, j[0], mutations)
    return found, n_left_out


def read_alleles(path: Path) -> dict[str, str]:
    """Return the amino acids of V alleles by name."""
    return {record.protein_id: record.sequence for record in read_fasta(path, FastaConfig())}


def mutations_left_out(antibodies: Iterable[Antibody], alleles: Mapping[str, str]) -> dict[str, int]:
    """Count antibodies of which no residue is known to differ from its germline."""
    counts = {"n_without_allele": 0, "n_without_difference": 0}
    for antibody in antibodies:
        if antibody.germline(alleles) is None:
            counts["n_without_allele"] += 1
        elif not antibody.evidence(alleles)["mutated"].any():
            counts["n_without_difference"] += 1
    return counts
