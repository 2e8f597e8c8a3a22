"""Where in its proteins a concept of whole proteins lies, by what its labels alone say of short peptides.

A transformer spreads what it knows of a protein over all of its residues: of which residues a label speaks
cannot be read from activations. It can be read from sequences. A peptide of a few residues that is found
more often in proteins with the concept than in others is local evidence of it: no other part of the protein
has a say. No annotation of residues is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from protsae.core.config import Config
from protsae.core.letters import character_codes

Floats = NDArray[np.floating]
_LETTERS = 32
"""Character codes of residues modulo this are distinct."""
_FULL = 255
_FULL_QUANTILE = 0.99


class LocalEvidenceConfig(Config):
    """How local evidence is measured."""

    peptide_lengths: tuple[int, ...] = Field((3, 4, 5, 6), min_length=1)
    """Residues of the peptides that are counted. Of these lengths the one of most evidence counts."""
    window: int = Field(15, ge=1, le=1001)
    """Residues over which evidence is averaged."""
    z: float = Field(2.0, ge=0, le=10)
    """Standard errors by which the share of positives among a peptide's proteins is lowered (Wilson)."""

    @model_validator(mode="after")
    def _codes_fit(self) -> Self:
        if not all(1 <= length <= 12 for length in self.peptide_lengths):
            raise ValueError(f"peptide_lengths {list(self.peptide_lengths)}: each is to be from 1 to 12")
        return self


@dataclass(frozen=True)
class LocalEvidence:
    """Weights of the residues of some proteins for the concepts of whole proteins that these carry.

    Attributes:
        weights: uint8, 255 for full evidence; the residues of each pair of protein and concept in a row.
        first: int64 [n_proteins, n_concepts]: where the pair's weights begin; -1: it lacks the concept.
    """

    weights: NDArray[np.uint8]
    first: NDArray[np.int64]

    def dense(self, protein: NDArray[np.int64], residue_index: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the weights of some residues, float32 [n, n_concepts] from 0 to 1.

        Args:
            protein: position of each residue's protein [n].
            residue_index: 0-based position within the protein [n].
        """
        first = self.first[protein]
        at, concept = np.nonzero(first >= 0)
        found = np.zeros(first.shape, np.float32)
        found[at, concept] = self.weights[first[at, concept] + residue_index[at]] / np.float32(_FULL)
        return found

    def totals(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return per concept the sum of its weights and their number [n_concepts]."""
        begins = np.unique(self.first[self.first >= 0])
        sizes = np.diff(np.append(begins, len(self.weights)))
        sums = np.add.reduceat(self.weights, begins, dtype=np.int64) if len(begins) else begins
        total, n = np.zeros(self.first.shape[1]), np.zeros(self.first.shape[1], np.int64)
        protein, concept = np.nonzero(self.first >= 0)
        at = np.searchsorted(begins, self.first[protein, concept])
        np.add.at(total, concept, sums[at] / _FULL)
        np.add.at(n, concept, sizes[at])
        return total, n


@dataclass(frozen=True)
class LabelledSequences:
    """Sequences and the concepts that they carry.

    Attributes:
        sequences: residues of each protein.
        labels: [n_proteins, n_concepts], positive where above 0.
        labelled: bool [n_proteins, n_concepts]; others count as neither.
    """

    sequences: Sequence[str]
    labels: Floats
    labelled: NDArray[np.bool_]

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Bool [n_proteins, n_concepts]."""
        return (self.labels > 0) & self.labelled


def local_evidence(
    train: LabelledSequences, others: Sequence[LabelledSequences], config: LocalEvidenceConfig
) -> list[LocalEvidence]:
    """Weigh the residues of proteins by how much the peptides around them speak for the proteins' concepts.

    Of the n training proteins that hold a peptide, x carry the concept; r is the concept's rate. Its evidence
    is `log(lower bound of x / n, over r) / log(1 / r)`, at least 0: 1 where the peptide is certain.
    A protein of training is left out of its own counts. A residue has the mean over the peptides that cover
    it, of the length where that is largest, averaged over a window; the 99th percentile of a concept's
    training residues is full evidence.

    Args:
        train: the proteins that peptides are counted in.
        others: further proteins that are weighed by these counts, such as those of validation.
        config: lengths, window, caution.

    Returns:
        Of train, then of the others.
    """
    sets = [train, *others]
    peptides = [_Peptides.of(sets, length) for length in config.peptide_lengths]
    sizes = [np.array([len(sequence) for sequence in each.sequences], dtype=np.int64) for each in sets]
    kept: list[list[NDArray[np.uint8]]] = [[] for _ in sets]
    firsts = [np.full(each.labels.shape, -1, dtype=np.int64) for each in sets]
    ends = [0] * len(sets)
    known_counts: dict[bytes, list[NDArray[np.int64]]] = {}
    for concept in range(train.labels.shape[1]):
        known, positive = train.labelled[:, concept], train.positive[:, concept]
        if (key := known.tobytes()) not in known_counts:  # the same for all concepts of an aspect
            known_counts[key] = [p.counts(known) for p in peptides]
        n_known = known_counts[key]
        n_positive = [p.counts(positive) for p in peptides]
        rate = positive.sum() / max(known.sum(), 1)
        full = 0.0
        for i, each in enumerate(sets):
            rows = np.flatnonzero(each.positive[:, concept])
            if not len(rows) or not 0 < rate < 1:
                continue
            own = int(i == 0)
            best = np.zeros(sizes[i][rows].sum(), np.float32)
            for found, n, x in zip(peptides, n_known, n_positive, strict=True):
                best = np.maximum(best, found.evidence(i, rows, x, n, own, rate, config.z))
            smooth = _moving_mean(best, sizes[i][rows], config.window)
            if i == 0:
                full = float(np.quantile(smooth[smooth > 0], _FULL_QUANTILE)) if (smooth > 0).any() else 0.0
            scaled = np.clip(smooth / full, 0, 1) if full > 0 else np.zeros_like(smooth)
            kept[i].append(np.rint(_FULL * scaled).astype(np.uint8))
            firsts[i][rows, concept] = ends[i] + np.cumsum(sizes[i][rows]) - sizes[i][rows]
            ends[i] += len(scaled)
    empty = np.empty(0, np.uint8)
    return [LocalEvidence(np.concatenate([empty, *w]), first) for w, first in zip(kept, firsts, strict=True)]


@dataclass(frozen=True)
class _Peptides:
    """All peptides of one length."""

    length: int
    peptide: list[NDArray[np.int32]]
    """Per set of proteins: which peptide begins at each residue, -1: none, or one that training lacks."""
    first_row: list[NDArray[np.int64]]
    """Per set of proteins: row of each protein's first residue [n_proteins + 1]."""
    of_protein: NDArray[np.int32]
    """The distinct peptides of every training protein, one protein after another."""
    pointer: NDArray[np.int64]
    """Where those of each training protein begin in it [n_train + 1]."""
    n_peptides: int

    @classmethod
    def of(cls, sets: Sequence[LabelledSequences], length: int) -> "_Peptides":
        codes, owners, firsts = zip(*(_codes(each.sequences, length) for each in sets), strict=True)
        train = codes[0]
        known = np.unique(train[train >= 0])
        numbers = []
        for code in codes:
            at = np.searchsorted(known, code).clip(max=max(len(known) - 1, 0))
            is_known = (code >= 0) & (known[at] == code) if len(known) else np.zeros(len(code), bool)
            numbers.append(np.where(is_known, at, -1).astype(np.int32))
        held = numbers[0] >= 0
        width = max(len(known), 1)
        pairs = np.unique(owners[0][held] * width + numbers[0][held])
        n_train = len(sets[0].sequences)
        pointer = np.searchsorted(pairs, np.arange(n_train + 1) * width)
        return cls(length, numbers, list(firsts), (pairs % width).astype(np.int32), pointer, len(known))

    def counts(self, proteins: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return in how many of some training proteins each peptide is found [n_peptides]."""
        chosen = np.repeat(proteins, np.diff(self.pointer))
        return np.bincount(self.of_protein[chosen], minlength=self.n_peptides)

    def evidence(
        self,
        which: int,
        rows: NDArray[np.int64],
        n_positive: NDArray[np.int64],
        n_known: NDArray[np.int64],
        own: int,
        rate: float,
        z: float,
    ) -> NDArray[np.float32]:
        """Return the mean evidence of the peptides that cover each residue of some proteins, one after
        another; `own` is what a protein counts for itself."""
        first = self.first_row[which]
        sizes = first[rows + 1] - first[rows]
        begin = np.cumsum(sizes) - sizes
        index = np.arange(sizes.sum()) - np.repeat(begin - first[rows], sizes)
        peptide = self.peptide[which][index]
        n = np.maximum(n_known[peptide] - own, 0)
        share = wilson_lower(np.clip(n_positive[peptide] - own, 0, n), n, z)
        share[peptide < 0] = 0.0
        with np.errstate(divide="ignore"):
            value = np.maximum(np.log(share / rate) / -np.log(rate), 0)
        # A peptide covers the residue that it begins at, and those that follow.
        sums = np.concatenate([[0.0], np.cumsum(value)])
        at = np.arange(len(value))
        low = np.maximum(at - self.length + 1, np.repeat(begin, sizes))
        found: NDArray[np.float32] = ((sums[at + 1] - sums[low]) / self.length).astype(np.float32)
        return found


def wilson_lower(x: NDArray[np.int64], n: NDArray[np.int64], z: float) -> NDArray[np.float64]:
    """Return Wilson's lower bound of the share x / n at z standard errors; 0 where n is 0."""
    trials = np.maximum(n, 1)
    share = x / trials
    centre = share + z * z / (2 * trials)
    spread = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return np.where(n > 0, np.maximum(centre - spread, 0) / (1 + z * z / trials), 0.0)


def _codes(
    sequences: Sequence[str], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return a number for the peptide that begins at each residue (-1: the end is too near), the position of
    each residue's protein, and the row of each protein's first residue."""
    sizes = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(sizes)])
    letters = character_codes("".join(sequences)).astype(np.int64) % _LETTERS
    code = np.zeros(len(letters), dtype=np.int64)
    for shift in range(length):
        code = code * _LETTERS + np.roll(letters, -shift)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    fits = np.arange(len(letters)) + length <= first[owner + 1]
    return np.where(fits, code, -1), owner, first


def _moving_mean(values: NDArray[np.float32], sizes: NDArray[np.int64], window: int) -> NDArray[np.float64]:
    """Return means over windows around each residue, cut at the ends of its protein."""
    ends = np.cumsum(sizes)
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    at = np.arange(len(values))
    low = np.maximum(at - window // 2, np.repeat(ends - sizes, sizes))
    high = np.minimum(at + window // 2 + 1, np.repeat(ends, sizes))
    found: NDArray[np.float64] = (sums[high] - sums[low]) / (high - low)
    return found
