"""The built-in search for homologous proteins: it needs no binary and seeds as BLAST does.

Three sieves, each cheaper per pair than the next (`seeds.py` is the first two, this module the third):

1. words of three residues that score at least `word_score` under BLOSUM62 against a word of the query are
   counted per diagonal (Altschul et al. 1990, doi:10.1016/S0022-2836(05)80360-2);
2. the diagonals with most hits are scored without gaps, and the best `max_candidates` targets are kept;
3. these are aligned locally with affine gaps (Smith and Waterman 1981; a gap of n residues costs 11 + n).

A hit is a pair whose alignment is significant (E-value): short alignments of unrelated proteins reach 30 %
identity easily, but not the score. Who searches decides which hits make two proteins relatives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from math import exp
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protsae.core.letters import character_codes, code_table
from protsae.core.progress import track
from protsae.core.threads import in_threads
from protsae.sequences.seeds import SeedConfig, blosum62, find_candidates

GAP_OPEN = 11
GAP_EXTEND = 1
# Karlin-Altschul parameters of BLOSUM62 with these gap costs (Altschul and Gish 1996,
# doi:10.1016/S0076-6879(96)66029-7).
LAMBDA = 0.267
KAPPA = 0.041
# BLOSUM62 knows neither selenocysteine nor pyrrolysine: the residues they stand closest to.
_TO_BLOSUM = str.maketrans("UOJ", "CKX")


class SearchConfig(SeedConfig):
    """How hard a search looks for homologous proteins, and which alignments are significant."""

    max_e_value: float = Field(default=1e-3, gt=0, le=1000)
    """Most alignments of this score expected by chance among all targets, per query."""
    mmseqs_sensitivity: float = Field(default=7.5, ge=1, le=7.5)
    """Sensitivity `-s` where MMseqs2 searches. The settings of seeds are for the built-in search."""


@dataclass(frozen=True)
class Hit:
    """A significant local alignment of a query and a target."""

    query_id: str
    target_id: str
    identity: float
    """Identical columns over all columns of the alignment, gaps included, as MMseqs2 counts."""
    alignment_length: int
    """Columns of the alignment, gaps included."""
    query_coverage: float
    """Residues from the first to the last aligned one, over the length of the query."""
    target_coverage: float
    """The same for the target."""
    e_value: float
    """Alignments of at least this score expected by chance."""


def find_hits(
    queries: Mapping[str, str],
    targets: Mapping[str, str],
    config: SearchConfig,
    *,
    min_identity: float = 0.0,
    min_coverage: float = 0.0,
) -> list[Hit]:
    """Search every query among the targets.

    At most `config.max_candidates` targets per query are aligned, so at most that many are found. A target
    with the id of the query is the query itself and left out. Proteins shorter than three residues have no
    words and no hits.

    Args:
        queries: protein id to sequence, upper case.
        targets: protein id to sequence, upper case.
        config: sensitivity and significance.
        min_identity: least identity of a hit.
        min_coverage: least coverage of both the query and the target.

    Returns:
        The hits, by query id, then by falling identity, then by target id.
    """
    least = min_identity, min_coverage
    n_residues = sum(map(len, targets.values()))
    candidates = find_candidates(queries, targets, config)
    pairs = [
        (query_id, target_id)
        for query_id, target_ids in candidates.items()
        for target_id in target_ids
        if _may_be_related(len(queries[query_id]), len(targets[target_id]), *least)
    ]
    align = partial(
        _align,
        queries=queries,
        targets=targets,
        n_residues=n_residues,
        max_e_value=config.max_e_value,
        min_identity=min_identity,
        min_coverage=min_coverage,
    )
    aligned = track(in_threads(align, pairs), "aligning candidates", total=len(pairs))
    return sorted(
        (hit for hit in aligned if hit), key=lambda hit: (hit.query_id, -hit.identity, hit.target_id)
    )


def _may_be_related(query_length: int, target_length: int, min_identity: float, min_coverage: float) -> bool:
    # At most min(lengths) columns are identical, and at least min_coverage of the longer protein are columns.
    shorter, longer = sorted((query_length, target_length))
    return shorter >= min_identity * min_coverage * longer


def _align(
    pair: tuple[str, str],
    queries: Mapping[str, str],
    targets: Mapping[str, str],
    n_residues: int,
    max_e_value: float,
    min_identity: float,
    min_coverage: float,
) -> Hit | None:
    """Return the hit of a pair, if it is one. The cheap tests come first: most pairs are unrelated."""
    query, target = (sequence.translate(_TO_BLOSUM) for sequence in (queries[pair[0]], targets[pair[1]]))
    score, *ends = _optimum(query, target)
    e_value = KAPPA * len(query) * n_residues * exp(-LAMBDA * score)
    if e_value > max_e_value:
        return None
    # No alignment of this score spans more than from the first begin to the last end of any of them.
    query_part, target_part = query[: ends[0] + 1], target[: ends[1] + 1]
    _, *begins = _optimum(query_part[::-1], target_part[::-1])
    lengths = len(query), len(target)
    spans = [begin + 1 for begin in begins]
    if min(span / length for span, length in zip(spans, lengths, strict=True)) < min_coverage:
        return None
    query_part, target_part = query_part[-spans[0] :], target_part[-spans[1] :]
    blocks = next(iter(_aligner().align(query_part, target_part))).aligned
    identity, n_columns, query_span, target_span = alignment_figures(query_part, target_part, blocks)
    coverages = query_span / len(query), target_span / len(target)
    if identity < min_identity or min(coverages) < min_coverage:
        return None
    return Hit(*pair, identity, n_columns, *coverages, e_value)


def _optimum(query: str, target: str) -> tuple[int, int, int]:
    """Return the best local score, and the last residues at which an alignment of this score ends."""
    from protsae.sequences.kernels import local_optimum

    scores, code_of = _aligner_codes()
    query_codes, target_codes = (code_of[character_codes(sequence)] for sequence in (query, target))
    return local_optimum(query_codes, target_codes, scores, GAP_OPEN + GAP_EXTEND, GAP_EXTEND)


@lru_cache(maxsize=1)
def _aligner_codes() -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return BLOSUM62 over all its letters, and the row of each character code (others: the row of `X`)."""
    matrix = blosum62()
    rows = code_table(matrix.alphabet, other=matrix.alphabet.index("X"))
    return np.array(matrix, dtype=np.int32), rows.astype(np.uint8)


def alignment_figures(query: str, target: str, blocks: Any) -> tuple[float, int, int, int]:
    """Return identity, columns, query span and target span of one alignment.

    Args:
        query: sequence.
        target: sequence.
        blocks: integers [2, n_blocks, 2]: begin and end of each gapless block in the query and in the target.

    Returns:
        Identity: identical columns / (aligned columns + gap columns); the number of these columns; the spans
        in residues.
    """
    aligned = identical = 0
    for (query_begin, query_end), (target_begin, target_end) in zip(*blocks, strict=True):
        pairs = zip(query[query_begin:query_end], target[target_begin:target_end], strict=True)
        identical += sum(a == b for a, b in pairs)
        aligned += int(query_end - query_begin)
    query_span = int(blocks[0][-1][1] - blocks[0][0][0])
    target_span = int(blocks[1][-1][1] - blocks[1][0][0])
    columns = query_span + target_span - aligned
    return identical / columns, columns, query_span, target_span


@lru_cache(maxsize=1)
def _aligner() -> Any:
    from Bio.Align import PairwiseAligner

    return PairwiseAligner(  # type: ignore[no-untyped-call]
        mode="local",
        substitution_matrix=blosum62(),
        open_gap_score=-(GAP_OPEN + GAP_EXTEND),
        extend_gap_score=-GAP_EXTEND,
    )
