"""The inner loops of association, compiled by numba.

Import this module inside functions: numba is slow to load.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled

Ints = NDArray[np.int64]
Latents = NDArray[np.int32]
Levels = NDArray[np.uint8]


@compiled
def largest_of(latents: Latents, values: NDArray[Any], largest: NDArray[np.float64]) -> None:
    """Raise `largest` [n_latents] to the largest value of each latent.

    Args:
        latents: latent of each code.
        values: its value.
        largest: compared with and written to.
    """
    for i in range(len(latents)):
        largest[latents[i]] = max(largest[latents[i]], values[i])


@compiled
def levels_of(
    latents: Latents, values: NDArray[Any], largest: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> Levels:
    """Return how many thresholds each code exceeds, normalised by its latent's largest value [n_codes].

    Args:
        latents: latent of each code.
        values: its value.
        largest: what is divided by [n_latents]; a latent with 0 exceeds nothing.
        thresholds: ascending.
    """
    levels = np.zeros(len(latents), dtype=np.uint8)
    for i in range(len(latents)):
        size = largest[latents[i]]
        if size > 0:
            share = values[i] / size
            level = 0
            for threshold in thresholds:
                level += share > threshold
            levels[i] = level
    return levels


@compiled
def count_active(
    indptr: Ints,
    latents: Latents,
    levels: Levels,
    first_row: Ints,
    known: NDArray[np.bool_],
    active: NDArray[np.int64],
) -> None:
    """Count, for each group of concepts, the residues of its labelled proteins by latent and level.

    Args:
        indptr: where the codes of each residue begin [n_rows + 1].
        latents: latent of each code.
        levels: level of each code.
        first_row: where each protein begins [n_proteins + 1].
        known: [n_proteins, n_groups], whether the protein is labelled for the group.
        active: [n_groups, n_latents, n_thresholds], added to at level - 1.
    """
    for protein in range(len(first_row) - 1):
        for group in range(known.shape[1]):
            if known[protein, group]:
                for i in range(indptr[first_row[protein]], indptr[first_row[protein + 1]]):
                    if levels[i]:
                        active[group, latents[i], levels[i] - 1] += 1


@compiled
def count_in_spans(
    indptr: Ints,
    latents: Latents,
    levels: Levels,
    spans: Ints,
    inside: NDArray[np.int64],
    hit: NDArray[np.int64],
) -> None:
    """Count residues and instances of concepts on which latents are active, by level.

    Args:
        indptr: where the codes of each residue begin [n_rows + 1].
        latents: latent of each code.
        levels: level of each code.
        spans: `association.SPAN_FIELDS` by column [5, n_spans]; spans of one instance are neighbours.
        inside: [n_concepts, n_latents, n_thresholds]: residues, added to at level - 1.
        hit: the same of instances, by the highest level that the latent reaches in any residue of one.
    """
    seen = np.full(inside.shape[1], -1, dtype=np.int64)
    best = np.zeros(inside.shape[1], dtype=np.int64)
    for s in range(spans.shape[1]):
        concept, instance, begin, fresh, end = spans[:, s]
        for row in range(begin, end):
            for i in range(np.uint64(indptr[row]), np.uint64(indptr[row + 1])):
                # Unsigned, so that no index is tested for counting from the end.
                latent = np.uint64(latents[i])
                level = np.int64(levels[i]) - 1
                if level < 0:
                    continue
                if row >= fresh:
                    inside[concept, latent, level] += 1
                if seen[latent] != instance:
                    seen[latent] = instance
                    best[latent] = level
                    hit[concept, latent, level] += 1
                elif level > best[latent]:
                    hit[concept, latent, best[latent]] -= 1
                    hit[concept, latent, level] += 1
                    best[latent] = level


@compiled
def count_pairs(
    indptr: Ints,
    latents: Latents,
    levels: Levels,
    first_row: Ints,
    spans: Ints,
    known: NDArray[np.bool_],
    pairs: Ints,
    pairs_of: Ints,
    counts: NDArray[np.int64],
) -> None:
    """Count, protein by protein, for some pairs of concept and latent at one level each.

    Args:
        indptr: where the codes of each residue begin [n_rows + 1].
        latents: latent of each code.
        levels: level of each code.
        first_row: where each protein begins [n_proteins + 1].
        spans: as in `count_in_spans`.
        known: [n_proteins, n_concepts].
        pairs: concept and level of each pair, pairs sorted by latent [2, n_pairs].
        pairs_of: where the pairs of each latent begin [n_latents + 1].
        counts: [3, n_proteins, n_pairs], added to: residues inside, active residues, instances hit.
    """
    for protein in range(len(first_row) - 1):
        for i in range(indptr[first_row[protein]], indptr[first_row[protein + 1]]):
            for p in range(pairs_of[latents[i]], pairs_of[latents[i] + 1]):
                if levels[i] >= pairs[1, p] and known[protein, pairs[0, p]]:
                    counts[1, protein, p] += 1
    seen = np.full(pairs.shape[1], -1, dtype=np.int64)
    for s in range(spans.shape[1]):
        concept, instance, begin, fresh, end = spans[:, s]
        protein = np.searchsorted(first_row, begin, side="right") - 1
        for row in range(begin, end):
            for i in range(indptr[row], indptr[row + 1]):
                for p in range(pairs_of[latents[i]], pairs_of[latents[i] + 1]):
                    if pairs[0, p] == concept and levels[i] >= pairs[1, p]:
                        if row >= fresh:
                            counts[0, protein, p] += 1
                        if seen[p] != instance:
                            seen[p] = instance
                            counts[2, protein, p] += 1
