"""The exact judge of antibodies: alignment to germline genes, without any model."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.sequences.germline import called_genes

_WORD = 3
_N_ALIGNED = 25
_ANCHOR = re.compile(r"[WF]G.G")
"""The first residues of FR4."""
_RIM = 12
"""The second cysteine lies at most this far from the end of a germline V gene."""
_FIRST_CYSTEINE = 18
"""Residues before the first cysteine, at least; the tryptophan follows it after at least this many:"""
_TO_TRYPTOPHAN = 8
_J_PURITY = 0.6


class Call(NamedTuple):
    """What alignment to germline genes says of a sequence. Genes that are equally near are all named."""

    v_genes: frozenset[str]
    v_subgroups: frozenset[str]
    v_identity: float
    """Share of the residues of the nearest V gene, up to the second cysteine, that are identical."""
    v_differences: int
    """How many are not."""
    j_genes: frozenset[str]
    loci: frozenset[str]
    conserved: float
    """Share of the two cysteines and the tryptophan of the nearest V gene that are kept."""
    cdr3_length: int | None
    """Residues between the second cysteine and the tryptophan or phenylalanine of FR4; None: not found."""


class GermlineJudge:
    """Nearest V and J germline genes, mutations and the length of CDR3.

    V genes are aligned globally (affine gaps), the end of the sequence free, after a choice of those that
    share most words of three residues; J alleles are compared from the end of the sequence, without gaps.

    Args:
        v_alleles: amino acids of V alleles by name.
        j_alleles: amino acids of J alleles by name, see `j_consensus`; those without the first residues of
            FR4 are not used.
        concept_ids: what is scored: `locus:`, `v_subgroup:`, `v_gene:`, `j_gene:` and a name,
            `mutation_load:low` or `high`, `cdr3_length_heavy:` or `_light:` and `short` or `long`.
        load: V residues that differ: at most the first is low, at least the second is high.
        cdr3: kind of chain (`heavy`, `light`) to the bounds: below the first is short, from the second on is
            long.

    Raises:
        InputError: a concept of another class.
    """

    def __init__(
        self,
        v_alleles: Mapping[str, str],
        j_alleles: Mapping[str, str],
        concept_ids: Sequence[str],
        *,
        load: tuple[float, float] = (2, 8),
        cdr3: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self._names: dict[str, set[str]] = defaultdict(set)
        for name, sequence in v_alleles.items():
            last = sequence.rfind("C", len(sequence) - _RIM)
            if last >= 0 and min(_conserved(sequence[: last + 1])) >= 0:  # else it is no functional gene
                self._names[sequence[: last + 1]].add(name)
        self._alleles = sorted(self._names)
        self._words = [Counter(_words(allele)) for allele in self._alleles]
        anchors = {name: _ANCHOR.search(allele) for name, allele in j_alleles.items()}
        self._j_alleles = {name: j_alleles[name] for name, anchor in anchors.items() if anchor}
        self._fr4 = {
            name: len(j_alleles[name]) - anchor.start() for name, anchor in anchors.items() if anchor
        }
        self._load, self._cdr3 = load, dict(cdr3 or {})
        self.concept_ids = tuple(concept_ids)
        """The concepts, in the order of the columns of `scores`."""
        self._known: dict[str, Call] = {}
        for concept_id in concept_ids:
            _has(concept_id, None, self._load, self._cdr3)

    def scores(self, sequences: Sequence[str]) -> NDArray[np.float64]:
        """Return 1 where a sequence has a concept, else 0 [n_sequences, n_concepts]."""
        calls = [self.call(sequence) for sequence in sequences]
        rows = [[_has(name, call, self._load, self._cdr3) for name in self.concept_ids] for call in calls]
        return np.array(rows, dtype=np.float64).reshape(len(sequences), len(self.concept_ids))

    def call(self, sequence: str) -> Call:
        """Return the nearest germline genes of a sequence, and what follows from them."""
        if sequence not in self._known:
            self._known[sequence] = self._call(sequence)
        return self._known[sequence]

    def identity_to(self, sequence: str, prefix: str) -> float:
        """Return the identity to the nearest V allele whose name begins with a text, such as `IGHVF3-`.

        Raises:
            InputError: there is none.
        """
        among = [a for a in self._alleles if any(name.startswith(prefix) for name in self._names[a])]
        if not among:
            raise InputError(f"no V allele has a name that begins with {prefix!r}: give another prefix")
        return self._nearest(sequence, among)[1]

    def _call(self, sequence: str) -> Call:
        candidates = [self._alleles[i] for i in self._candidates(sequence)]
        best, identity, differences, end, conserved = self._nearest(sequence, candidates)
        genes = [gene for allele in best for name in self._names[allele] for gene in called_genes(name)]
        j_alleles = self._nearest_j(sequence)
        anchor = len(sequence) - min((self._fr4[name] for name in j_alleles), default=len(sequence))
        return Call(
            v_genes=frozenset(gene.name for gene in genes),
            v_subgroups=frozenset(gene.subgroup for gene in genes),
            v_identity=identity,
            v_differences=differences,
            j_genes=frozenset(gene.name for name in j_alleles for gene in called_genes(name)),
            loci=frozenset(gene.locus for gene in genes),
            conserved=conserved,
            cdr3_length=anchor - end if anchor >= end else None,
        )

    def _candidates(self, sequence: str) -> list[int]:
        words = Counter(_words(sequence))
        shared = [sum((words & own).values()) / own.total() for own in self._words]
        return sorted(range(len(shared)), key=lambda i: (-shared[i], i))[:_N_ALIGNED]

    def _nearest(self, sequence: str, alleles: Sequence[str]) -> tuple[list[str], float, int, int, float]:
        """Return the alleles of the highest identity, it, its mismatches, where the V gene ends, and how many
        conserved residues are kept."""
        pairs = [self._aligned(allele, sequence[: len(allele) + _RIM]) for allele in alleles]
        matches = [
            sum(a == b for a, b in zip(allele, of, strict=True))
            for allele, (of, _) in zip(alleles, pairs, strict=True)
        ]
        shares = [n / len(allele) for n, allele in zip(matches, alleles, strict=True)]
        identity = max(shares)
        best = [i for i, share in enumerate(shares) if share >= identity - 1e-9]
        allele, (of, end) = alleles[best[0]], pairs[best[0]]
        places = _conserved(allele)
        kept = sum(of[i] == allele[i] for i in places) / len(places)
        return [alleles[i] for i in best], identity, len(allele) - matches[best[0]], end, kept

    def _aligned(self, allele: str, sequence: str) -> tuple[str, int]:
        """Return what stands at each residue of the allele, `-` for nothing, and where the allele ends."""
        if sequence.startswith(allele):
            return allele, len(allele)
        alignment = self._aligner.align(allele, sequence)[0]
        of = ["-"] * len(allele)
        for (a, b), (c, d) in zip(*alignment.aligned, strict=True):
            of[a:b] = sequence[c:d]
        return "".join(of), int(alignment.aligned[1][-1][1])

    @cached_property
    def _aligner(self) -> Any:
        from Bio.Align import PairwiseAligner

        aligner: Any = PairwiseAligner()  # type: ignore[no-untyped-call]
        aligner.mode, aligner.match_score, aligner.mismatch_score = "global", 2, -1
        aligner.open_gap_score, aligner.extend_gap_score = -6, -1
        aligner.open_right_deletion_score = aligner.extend_right_deletion_score = -6
        aligner.open_right_insertion_score = aligner.extend_right_insertion_score = 0
        return aligner

    def _nearest_j(self, sequence: str) -> list[str]:
        scores = {name: _from_the_end(sequence, allele) for name, allele in self._j_alleles.items()}
        best = max(scores.values(), default=0)
        return [name for name, score in scores.items() if score == best]


def j_consensus(chains: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the amino acids of J alleles, read off sequences without mutations.

    A J gene ends with the variable domain. From its end on, a residue belongs to the allele while one amino
    acid stands there in at least 60 % of the sequences.

    Args:
        chains: J allele and sequence of chains without mutations.
    """
    by_allele: dict[str, list[str]] = defaultdict(list)
    for allele, sequence in chains:
        by_allele[allele].append(sequence)
    found = {}
    for allele, sequences in sorted(by_allele.items()):
        letters = ""
        for i in range(1, min(map(len, sequences)) + 1):
            letter, n = Counter(sequence[-i] for sequence in sequences).most_common(1)[0]
            if n < _J_PURITY * len(sequences):
                break
            letters = letter + letters
        found[allele] = letters
    return found


def _from_the_end(sequence: str, gene: str) -> int:
    """Return the best sum of matches less mismatches over the last residues, as many as serve it."""
    score = best = 0
    for one, other in zip(reversed(sequence), reversed(gene), strict=False):
        score += 1 if one == other else -1
        best = max(best, score)
    return best


def _conserved(allele: str) -> list[int]:
    """Return where an allele has its first cysteine, tryptophan and second cysteine (IMGT 23, 41 and 104)."""
    first = allele.find("C", _FIRST_CYSTEINE)
    return [first, allele.find("W", first + _TO_TRYPTOPHAN), len(allele) - 1]


def _words(sequence: str) -> list[str]:
    return [sequence[i : i + _WORD] for i in range(len(sequence) - _WORD + 1)]


def _has(
    concept_id: str, call: Call | None, load: tuple[float, float], cdr3: Mapping[str, tuple[float, float]]
) -> bool:
    """Return whether a call has a concept; without a call, only whether the concept is of a known class."""
    aspect, _, value = concept_id.partition(":")
    if aspect in {"locus", "v_subgroup", "v_gene", "j_gene"}:
        sets = (
            None
            if call is None
            else {
                "locus": call.loci,
                "v_subgroup": call.v_subgroups,
                "v_gene": call.v_genes,
                "j_gene": call.j_genes,
            }
        )
        return sets is not None and value in sets[aspect]
    if aspect == "mutation_load" and value in {"low", "high"}:
        return call is not None and (
            call.v_differences <= load[0] if value == "low" else call.v_differences >= load[1]
        )
    kind = aspect.removeprefix("cdr3_length_")
    if kind in cdr3 and value in {"short", "long"}:
        if call is None or call.cdr3_length is None or (kind == "heavy") != ("IGH" in call.loci):
            return False
        return call.cdr3_length < cdr3[kind][0] if value == "short" else call.cdr3_length >= cdr3[kind][1]
    raise InputError(
        f"concept '{concept_id}' cannot be judged by germline genes: give v_subgroup, v_gene, j_gene, locus, "
        "mutation_load or, with bounds, cdr3_length"
    )
