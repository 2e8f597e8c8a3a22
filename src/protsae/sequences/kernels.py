"""The inner loops of the built-in search, compiled by numba.

Import this module inside functions: numba is slow to load.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled, part

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]
_NEVER = -(2**20)
"""Worse than any alignment."""


@compiled
def index_words(
    codes: Codes, starts: Ints, chunks: Ints, word_length: int, n_letters: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Sort the words of all targets by chunk and word (a counting sort).

    Args:
        codes: residue codes of all targets, one after another; `n_letters` and above is in no word.
        starts: where each target begins, and where the last one ends, [n_targets + 1].
        chunks: the first target of each chunk, and the number of targets, [n_chunks + 1].
        word_length: residues of a word.
        n_letters: a word's number is in this base, its first residue the highest digit.

    Returns:
        For each word its position within its chunk and its target, counted from the first of the chunk; and
        where each word begins in these, [n_chunks, n_letters ** word_length + 1].
    """
    n_words = n_letters**word_length
    first = np.zeros((len(chunks) - 1, n_words + 1), dtype=np.int32)
    positions = np.empty(len(codes), dtype=np.int32)
    owners = np.empty(len(codes), dtype=np.int32)
    n_filled = 0
    for chunk in range(len(chunks) - 1):
        cursor = np.zeros(n_words + 1, dtype=np.int32)
        for filling in (False, True):
            for target in range(chunks[chunk], chunks[chunk + 1]):
                word = 0
                n_known = 0
                for position in range(starts[target], starts[target + 1]):
                    n_known = n_known + 1 if codes[position] < n_letters else 0
                    word = (word * n_letters + codes[position]) % n_words if n_known else 0
                    if n_known < word_length:
                        continue
                    if filling:
                        place = cursor[word]
                        positions[place] = position - word_length + 1 - starts[chunks[chunk]]
                        owners[place] = target - chunks[chunk]
                    cursor[word] += 1
            if not filling:
                for word in range(n_words):
                    first[chunk, word] = n_filled
                    n_filled += cursor[word]
                first[chunk, n_words] = n_filled
                cursor[:] = first[chunk]
    return positions[:n_filled], owners[:n_filled], first


@compiled
def words_to_look_up(
    where: Ints, words: Ints, begin: Ints, similar: NDArray[np.int32], n_words: int
) -> tuple[Ints, Ints]:
    """Return the words similar to those of the query, sorted by number, and the query position of each.

    Args:
        where: where the words of the query begin, [n_query_words].
        words: their numbers.
        begin: where the words similar to each word begin, [n_words + 1].
        similar: these, word after word.
        n_words: how many words there are.
    """
    ends = np.zeros(n_words + 1, dtype=np.int64)
    for word in words:
        for k in range(begin[word], begin[word + 1]):
            ends[similar[k] + 1] += 1
    ends = np.cumsum(ends)
    lists = np.empty(ends[-1], dtype=np.int64)
    source = np.empty(ends[-1], dtype=np.int64)
    for i in range(len(words)):
        for k in range(begin[words[i]], begin[words[i] + 1]):
            place = ends[similar[k]]
            ends[similar[k]] += 1
            lists[place] = similar[k]
            source[place] = where[i]
    return lists, source


@compiled
def busiest_diagonals(
    lists: Ints,
    where: Ints,
    first: NDArray[np.int32],
    positions: NDArray[np.int32],
    owners: NDArray[np.int32],
    offsets: Ints,
    length: int,
    least: int,
    n_wanted: int,
    counters: Any,
) -> tuple[Ints, Ints]:
    """Count word hits per diagonal, chunk by chunk, and keep the diagonals with most.

    Args:
        lists: word numbers to look up, [n_lists].
        where: query position that each of them stands for, [n_lists].
        first: where the positions of each word begin, [n_chunks, n_words + 1].
        positions: position of the word within its chunk, by chunk and word.
        owners: target of each of these words, counted from the first target of the chunk.
        offsets: for each chunk, what to add to its keys, [n_chunks].
        length: residues of the query.
        least: fewest hits of a diagonal that counts.
        n_wanted: diagonals to keep.
        counters: zeros, as many as the largest chunk has keys; left dirty.

    Returns:
        Keys and counts of at least the `n_wanted` best diagonals (all of them if there are fewer), unordered.
    """
    threshold = least - 1  # diagonals with no more hits than this cannot be among the best any more
    n_above = 0
    hits_of = np.zeros(length + 2, dtype=np.int64)
    hot = np.empty(len(counters), dtype=np.int32)
    keys = np.empty(4 * n_wanted, dtype=np.int64)
    counts = np.empty(4 * n_wanted, dtype=np.int64)
    n_kept = 0
    for chunk in range(len(first)):
        counters[:] = 0
        n_hot = 0
        begins = first[chunk]
        for k in range(len(lists)):
            back = length - where[k]
            # Unsigned, so that no index is tested for counting from the end: a third of the time.
            for p in range(np.uint64(begins[lists[k]]), np.uint64(begins[lists[k] + 1])):
                key = np.uint64(positions[p] + owners[p] * length + back)
                hits = counters[key] + 1
                counters[key] = hits
                if hits == threshold + 1:
                    hot[n_hot] = key
                    n_hot += 1
        for k in range(n_hot):
            hits_of[counters[hot[k]]] += 1
        n_above += n_hot
        raised = False
        while n_above >= n_wanted:
            threshold += 1
            n_above -= hits_of[threshold]
            raised = True
        if raised:
            n_before, n_kept = n_kept, 0
            for k in range(n_before):
                if counts[k] >= threshold:
                    keys[n_kept] = keys[k]
                    counts[n_kept] = counts[k]
                    n_kept += 1
        for k in range(n_hot):
            hits = counters[hot[k]]
            if hits >= threshold:
                if n_kept == len(keys):
                    keys = np.concatenate((keys, np.empty_like(keys)))
                    counts = np.concatenate((counts, np.empty_like(counts)))
                keys[n_kept] = hot[k] + offsets[chunk]
                counts[n_kept] = hits
                n_kept += 1
    return keys[:n_kept], counts[:n_kept]


@compiled
def gapless_scores(
    query: Codes, codes: Codes, begins: Ints, ends: Ints, diagonals: Ints, scores: NDArray[np.int32]
) -> Ints:
    """Return the best sum of scores over a stretch of each diagonal, [n_diagonals], at least 0.

    Args:
        query: residue codes.
        codes: residue codes of all targets.
        begins: where the target of each diagonal begins, [n_diagonals].
        ends: where it ends.
        diagonals: target position minus query position.
        scores: substitution scores over residue codes.
    """
    best = np.zeros(len(diagonals), dtype=np.int64)
    for k in range(len(diagonals)):
        shift = begins[k] + diagonals[k]
        running = 0
        for i in range(max(0, -diagonals[k]), min(len(query), ends[k] - shift)):
            running = max(0, running + scores[query[i], codes[shift + i]])
            best[k] = max(best[k], running)
    return best


@part
def _end_in_gaps(
    cells: Any, before: Any, left: Any, longer: Any, most: int, open_cost: int, extend_cost: int
) -> None:
    """Raise the cells of a row to the best alignments that end there in a gap in the target.

    Args:
        cells: the row [n].
        before: the cell to the left of each.
        left: space [2 n], the first half `_NEVER`.
        longer: the same.
        most: what the best such alignment is worth at the first residue of its gap.
        open_cost: of the first residue of a gap.
        extend_cost: of every further one.
    """
    length = len(cells)
    ends, padded, extended, other = left[length:], left, longer[length:], longer
    opening = np.int32(open_cost)
    for i in range(length):
        ends[i] = np.int32(before[i] - opening)
    step = 1
    while step < length and step * extend_cost < most:
        cost, earlier = np.int32(step * extend_cost), padded[length - step :]
        for i in range(length):
            extended[i] = max(ends[i], np.int32(earlier[i] - cost))
        ends, padded, extended, other = extended, other, ends, padded
        step *= 2
    for i in range(length):
        cells[i] = max(cells[i], ends[i])


@compiled
def local_optimum(
    query: Codes, target: Codes, scores: NDArray[np.int32], open_cost: int, extend_cost: int
) -> tuple[int, int, int]:
    """Return the score of the best local alignment with affine gaps, and where such alignments end at most.

    After Gotoh 1982, doi:10.1016/0022-2836(82)90398-9. A row of the matrix is filled without the gaps in the
    target, then with those that its cells open: the best one over 1, 2, 4, ... cells, until none is worth
    anything any more. So no cell waits for the one before it, and all loops are vectorised; for that, numbers
    stay within 32 bits. Opening a gap must not be cheaper than extending one.

    Args:
        query: residue codes.
        target: residue codes.
        scores: substitution scores over these codes, symmetric.
        open_cost: of the first residue of a gap.
        extend_cost: of every further one.

    Returns:
        Score, and the last residue of the query and of the target at which any alignment of this score ends.
    """
    length = len(query)
    profile = np.empty((len(scores), length), dtype=np.int32)
    for code in range(len(scores)):
        for i in range(length):
            profile[code, i] = scores[code, query[i]]
    opening, extending = np.int32(open_cost), np.int32(extend_cost)
    above = np.zeros(length + 1, dtype=np.int32)
    row = np.zeros(length + 1, dtype=np.int32)
    gaps = np.full(length, -open_cost, dtype=np.int32)  # alignments that end in a gap in the query
    left = np.full(2 * length, _NEVER, dtype=np.int32)  # in a gap in the target: the second half
    longer = left.copy()
    best, last_query, last_target = 0, -1, -1
    for j in range(len(target)):
        matches = profile[target[j]]
        over, diagonal, cells, before = above[1:], above[:-1], row[1:], row[:-1]
        best_of_row: Any = np.int32(0)
        for i in range(length):
            gap = max(np.int32(over[i] - opening), np.int32(gaps[i] - extending))
            gaps[i] = gap
            cell = max(np.int32(diagonal[i] + matches[i]), gap, np.int32(0))
            cells[i] = cell
            best_of_row = max(best_of_row, cell)
        if best_of_row > opening:
            _end_in_gaps(cells, before, left, longer, best_of_row - open_cost, open_cost, extend_cost)
        if best_of_row > best:
            best, last_query = best_of_row, -1
        if best_of_row == best:
            last_target = j
            for i in range(length - 1, last_query, -1):
                if row[i + 1] == best:
                    last_query = i
                    break
        above, row = row, above
    return best, last_query, last_target
