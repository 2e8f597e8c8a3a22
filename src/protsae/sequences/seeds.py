"""Which targets are worth aligning to a query: word hits per diagonal, then gapless scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protsae.core.config import Config
from protsae.core.progress import track

WORD = 3
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
_N = len(RESIDUES)
_OTHER = _N  # any residue without words of its own (X), and the space beyond the ends of a protein
_OTHER_SCORE = -4
# Rare letters seed as the residue they stand closest to.
_SEED_AS = {"U": "C", "O": "K", "B": "D", "Z": "E"}
_BLOCK_RESIDUES = 2_000_000  # targets indexed at once: bounds the memory of the counters
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
    Targets below `min_gapless_score` are strangers and left out.
    """
    query_codes = {query_id: encode(queries[query_id]) for query_id in sorted(queries)}
    scored: dict[str, list[tuple[int, str]]] = {query_id: [] for query_id in query_codes}
    for block in _blocks(targets):
        for query_id, codes in track(query_codes.items(), "searching for relatives"):
            best = block.best_targets(codes, config)
            scored[query_id] += [(-score, name) for name, score in best.items() if name != query_id]
    return {
        query_id: [name for _, name in sorted(pairs)[: config.max_candidates]]
        for query_id, pairs in scored.items()
    }


def encode(sequence: str) -> Codes:
    """Return residue codes [length], 0 to 19 in the order of `RESIDUES`, 20 for anything else."""
    return _code_table()[np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)]


@dataclass(frozen=True)
class _Block:
    """Some of the targets, one after another, with an inverted index of their words."""

    names: list[str]
    codes: Codes
    """Residues of all targets, [n_residues]."""
    starts: Ints
    """Where each target begins, and where the last one ends, [n_targets + 1]."""
    target_of: NDArray[np.int32]
    """Target of each residue, [n_residues]."""
    positions: NDArray[np.int32]
    """Where words begin, in the order of the words."""
    first: Ints
    """Where the positions of each word begin, [n_words + 1]."""

    def best_targets(self, query: Codes, config: SeedConfig) -> dict[str, int]:
        """Return targets with their gapless scores, from the diagonals with most hits, if high enough."""
        target, diagonal = self._busiest_diagonals(query, config)
        scores = self._gapless_scores(query, target, diagonal)
        best: dict[str, int] = {}
        for index, score in zip(target.tolist(), scores.tolist(), strict=True):
            name = self.names[index]
            if score >= config.min_gapless_score:
                best[name] = max(score, best.get(name, 0))
        return best

    def _busiest_diagonals(self, query: Codes, config: SeedConfig) -> tuple[Ints, Ints]:
        """Return targets and diagonals (target position minus query position) with most word hits."""
        where, words = words_of(query)
        similar, begin = similar_words(config.word_score)
        source, neighbours = _expand(begin[words], begin[words + 1], similar)
        hit, position = _expand(self.first[neighbours], self.first[neighbours + 1], self.positions)
        # One key per target and diagonal: a query's length of room before each target keeps targets apart.
        shift = (self.target_of[position].astype(np.int64) + 1) * len(query)
        counts = np.bincount(position + shift - where[source[hit]])
        keys = np.flatnonzero(counts >= _MIN_HITS)
        n_wanted = config.max_candidates * config.diagonals_per_candidate
        keys = keys[np.argsort(-counts[keys], kind="stable")[:n_wanted]]
        # Keys of target t lie above rooms[t] and below rooms[t + 1].
        rooms = self.starts[:-1] + np.arange(len(self.names)) * len(query)
        target = np.searchsorted(rooms, keys, side="right") - 1
        return target, keys - rooms[target] - len(query)

    def _gapless_scores(self, query: Codes, target: Ints, diagonal: Ints) -> Ints:
        """Return the best sum of BLOSUM62 scores over a stretch of each diagonal, [n_diagonals]."""
        begin, end = self.starts[target][:, None], self.starts[target + 1][:, None]
        position = begin + diagonal[:, None] + np.arange(len(query))
        outside = (position < begin) | (position >= end)
        residues = np.where(outside, _OTHER, self.codes[np.clip(position, 0, len(self.codes) - 1)])
        sums = np.cumsum(substitution_scores()[query[None, :], residues], axis=1, dtype=np.int64)
        lowest = np.minimum.accumulate(np.minimum(sums, 0), axis=1)
        return np.asarray((sums - lowest).max(axis=1, initial=0), dtype=np.int64)


def _blocks(targets: Mapping[str, str]) -> Iterator[_Block]:
    names: list[str] = []
    size = 0
    for name in sorted(targets):
        names.append(name)
        size += len(targets[name])
        if size >= _BLOCK_RESIDUES:
            yield _index(names, targets)
            names, size = [], 0
    if names:
        yield _index(names, targets)


def _index(names: list[str], targets: Mapping[str, str]) -> _Block:
    encoded = [encode(targets[name]) for name in names]
    lengths = np.array([len(codes) for codes in encoded], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    found = [words_of(codes) for codes in encoded]
    where = np.concatenate([place + start for (place, _), start in zip(found, starts[:-1], strict=True)])
    words = np.concatenate([word for _, word in found])
    order = np.argsort(words, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(words, minlength=_N**WORD))])
    target_of = np.repeat(np.arange(len(names), dtype=np.int32), lengths)
    return _Block(names, np.concatenate(encoded), starts, target_of, where[order].astype(np.int32), first)


def words_of(codes: Codes) -> tuple[Ints, Ints]:
    """Return where the words of a protein begin, and their numbers, 0 to 7999; none with a residue 20."""
    if len(codes) < WORD:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, WORD).astype(np.int64)
    where = np.flatnonzero((windows != _OTHER).all(axis=1))
    return where, windows[where] @ (_N ** np.arange(WORD - 1, -1, -1))


def _expand(begin: Ints, end: Ints, values: NDArray[np.int32]) -> tuple[Ints, Ints]:
    """Return the values of all ranges [begin, end) one after another, and which range each is from."""
    sizes = end - begin
    source = np.repeat(np.arange(len(begin)), sizes)
    offsets = np.arange(len(source)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return source, values[begin[source] + offsets].astype(np.int64)


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
    for i, first in enumerate(RESIDUES):
        scores[i, :_N] = [matrix[first, second] for second in RESIDUES]
    return scores


@lru_cache(maxsize=1)
def _code_table() -> Codes:
    table = np.full(256, _OTHER, dtype=np.uint8)
    for code, letter in enumerate(RESIDUES):
        table[ord(letter)] = code
    for letter, stand_in in _SEED_AS.items():
        table[ord(letter)] = table[ord(stand_in)]
    return table
