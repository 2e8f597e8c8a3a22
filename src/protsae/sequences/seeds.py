"""Which targets are worth aligning to a query: word hits per diagonal, then gapless scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protsae.core.config import Config
from protsae.core.letters import AMINO_ACIDS, character_codes, code_table
from protsae.core.progress import track
from protsae.core.threads import in_threads
from protsae.sequences.blocks import id_blocks

WORD = 3
_N = len(AMINO_ACIDS)
_OTHER = _N  # any residue without words of its own (X), and the space beyond the ends of a protein
_OTHER_SCORE = -4
# Rare letters seed as the residue they stand closest to.
_SEED_AS = {"U": "C", "O": "K", "B": "D", "Z": "E"}
_BLOCK_RESIDUES = 2_000_000  # targets indexed at once: bounds the memory of the counters
_CHUNK_RESIDUES = 240_000  # targets whose counters are filled at once: bounds them to the cache of a core
_MIN_HITS = 2

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]


class SeedConfig(Config):
    """How hard to look for relatives."""

    word_score: int = Field(default=11, ge=1, le=33)
    """Two words of three residues hit if BLOSUM62 scores them at least this. Higher is faster and blinder."""
    max_candidates: int = Field(default=20, ge=1)
    """Targets that are aligned to each query."""
    diagonals_per_candidate: int = Field(default=8, ge=1)
    """Diagonals scored without gaps, as a multiple of `max_candidates`."""
    min_gapless_score: int = Field(default=40, ge=1)
    """Least gapless score worth an alignment (BLAST aligns from 41 on)."""


def find_candidates(
    queries: Mapping[str, str], targets: Mapping[str, str], config: SeedConfig
) -> dict[str, list[str]]:
    """Return for each query id the ids of the targets most like it, best first, at most `max_candidates`.

    A target's score is its best gapless BLOSUM62 score over the diagonals with most word hits; ties go by id.
    Targets below `min_gapless_score` are strangers and left out. Queries are searched by several threads,
    which changes nothing in the result.
    """
    query_codes = {query_id: encode(queries[query_id]) for query_id in sorted(queries)}
    scored: dict[str, list[tuple[int, str]]] = {query_id: [] for query_id in query_codes}
    n_blocks = -(-sum(map(len, targets.values())) // _BLOCK_RESIDUES)
    for number, names in enumerate(id_blocks(targets, _BLOCK_RESIDUES), start=1):
        block = _index(names, targets)
        found = in_threads(partial(block.best_targets, config=config), query_codes.values())
        label = f"searching for relatives, part {number} of {max(n_blocks, number)}"
        for query_id, best in zip(query_codes, track(found, label, total=len(query_codes)), strict=True):
            scored[query_id] += [(-score, name) for name, score in best.items() if name != query_id]
    return {
        query_id: [name for _, name in sorted(pairs)[: config.max_candidates]]
        for query_id, pairs in scored.items()
    }


def encode(sequence: str) -> Codes:
    """Return residue codes [length], 0 to 19 in the order of `AMINO_ACIDS`, 20 for anything else."""
    return _code_table()[character_codes(sequence)]


@dataclass(frozen=True)
class _Block:
    """Some of the targets, one after another, with an inverted index of their words, chunk by chunk.

    A chunk is some whole targets: the counters of all its diagonals fit the cache of a core.
    """

    names: list[str]
    codes: Codes
    """Residues of all targets, [n_residues]."""
    starts: Ints
    """Where each target begins, and where the last one ends, [n_targets + 1]."""
    chunks: Ints
    """The first target of each chunk, and the number of targets, [n_chunks + 1]."""
    positions: NDArray[np.int32]
    """Where words begin, counted from the start of the chunk, in the order of chunks and words."""
    owners: NDArray[np.int32]
    """Target of each of these words, counted from the first target of the chunk."""
    first: NDArray[np.int32]
    """Where the positions of each word begin, [n_chunks, n_words + 1]."""

    def best_targets(self, query: Codes, config: SeedConfig) -> dict[str, int]:
        """Return targets with their gapless scores, from the diagonals with most hits, if high enough."""
        from protsae.sequences.kernels import gapless_scores

        target, diagonal = self._busiest_diagonals(query, config)
        begins, ends = self.starts[target], self.starts[target + 1]
        scores = gapless_scores(query, self.codes, begins, ends, diagonal, substitution_scores())
        best: dict[str, int] = {}
        for index, score in zip(target.tolist(), scores.tolist(), strict=True):
            name = self.names[index]
            if score >= config.min_gapless_score:
                best[name] = max(score, best.get(name, 0))
        return best

    def _busiest_diagonals(self, query: Codes, config: SeedConfig) -> tuple[Ints, Ints]:
        """Return targets and diagonals (target position minus query position) with most word hits."""
        from protsae.sequences.kernels import busiest_diagonals, words_to_look_up

        similar, begin = similar_words(config.word_score)
        lists, where = words_to_look_up(*words_of(query), begin, similar, _N**WORD)
        # One key per target and diagonal: a query's length of room before each target keeps targets apart.
        rooms = self.starts[:-1] + np.arange(len(self.names)) * len(query)
        offsets = rooms[self.chunks[:-1]]
        n_keys = int(np.diff(np.append(offsets, self.starts[-1] + len(self.names) * len(query))).max()) + 1
        n_wanted = config.max_candidates * config.diagonals_per_candidate
        keys, counts = busiest_diagonals(
            lists,
            where,
            self.first,
            self.positions,
            self.owners,
            offsets,
            len(query),
            _MIN_HITS,
            n_wanted,
            np.zeros(n_keys, dtype=np.uint16 if len(query) < 2**16 else np.uint32),
        )
        keys = keys[np.lexsort((keys, -counts))[:n_wanted]]
        # Keys of target t lie above rooms[t] and below rooms[t + 1].
        target = np.searchsorted(rooms, keys, side="right") - 1
        return target, keys - rooms[target] - len(query)


def _index(names: list[str], targets: Mapping[str, str]) -> _Block:
    from protsae.sequences.kernels import index_words

    codes = encode("".join(targets[name] for name in names))
    starts = np.cumsum([0, *(len(targets[name]) for name in names)])
    # The first chunks are small: until enough diagonals are known, every one with two hits is kept.
    small = [_CHUNK_RESIDUES >> halvings for halvings in (6, 4, 2)]
    edges = np.array([*small, *range(_CHUNK_RESIDUES, int(starts[-1]) + 1, _CHUNK_RESIDUES)])
    chunk_of = np.searchsorted(edges, starts[:-1], side="right")
    chunks = np.append(np.flatnonzero(np.diff(chunk_of, prepend=-1)), len(names))
    return _Block(names, codes, starts, chunks, *index_words(codes, starts, chunks, WORD, _N))


def words_of(codes: Codes) -> tuple[Ints, Ints]:
    """Return where the words of a protein begin, and their numbers, 0 to 7999; none with a residue 20."""
    if len(codes) < WORD:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, WORD).astype(np.int64)
    where = np.flatnonzero((windows != _OTHER).all(axis=1))
    return where, windows[where] @ (_N ** np.arange(WORD - 1, -1, -1))


@lru_cache(maxsize=2)
def similar_words(word_score: int) -> tuple[NDArray[np.int32], Ints]:
    """Return the words that score at least `word_score` against each word, and where each begins."""
    scores = substitution_scores()[:_N, :_N]
    two = scores[:, None, :, None] + scores[None, :, None, :]
    two = two.reshape(_N**2, _N**2)
    similar: list[NDArray[np.int32]] = []
    for word in range(_N**WORD):
        row = (two[word // _N][:, None] + scores[word % _N][None, :]).ravel()
        similar.append(np.flatnonzero(row >= word_score).astype(np.int32))
    begin = np.concatenate([[0], np.cumsum([len(row) for row in similar])])
    return np.concatenate(similar), begin


@lru_cache(maxsize=1)
def blosum62() -> Any:
    """Return BLOSUM62 as Biopython keeps it, over the letters ARNDCQEGHILKMFPSTWYVBZX*."""
    from Bio.Align import substitution_matrices

    return substitution_matrices.load("BLOSUM62")  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1)
def substitution_scores() -> NDArray[np.int32]:
    """Return BLOSUM62 over residue codes, [21, 21]; residue 20 scores -4 against everything."""
    matrix = blosum62()
    scores = np.full((_N + 1, _N + 1), _OTHER_SCORE, dtype=np.int32)
    for i, first in enumerate(AMINO_ACIDS):
        scores[i, :_N] = [matrix[first, second] for second in AMINO_ACIDS]
    return scores


@lru_cache(maxsize=1)
def _code_table() -> Codes:
    table = code_table(AMINO_ACIDS, other=_OTHER).astype(np.uint8)
    for letter, stand_in in _SEED_AS.items():
        table[ord(letter)] = table[ord(stand_in)]
    return table
