"""The pass over the codes of residues, compiled by numba. Import it inside functions."""

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled

Ints = NDArray[np.int64]


@compiled
def count_active(indptr: Ints, latents: NDArray[np.int32], first_row: Ints, n_latents: int) -> int:
    """Return the number of pairs of protein and latent that is active in it.

    Args:
        indptr: where the codes of each residue begin [n_rows + 1].
        latents: latent of each code.
        first_row: where each protein begins [n_proteins + 1].
        n_latents: width of the dictionary.
    """
    last = np.full(n_latents, -1, np.int64)
    n_pairs = 0
    for protein in range(len(first_row) - 1):
        for i in range(indptr[first_row[protein]], indptr[first_row[protein + 1]]):
            if last[latents[i]] != protein:
                last[latents[i]] = protein
                n_pairs += 1
    return n_pairs


@compiled
def add_proteins(
    indptr: Ints,
    latents: NDArray[np.int32],
    values: NDArray[np.float32],
    first_row: Ints,
    kinds: Ints,
    runs: Ints,
    gaps: Ints,
    bins: Ints,
    letters: Ints,
    letter_sums: NDArray[np.float64],
    sums: NDArray[np.float64],
    pairs: Ints,
    peaks: NDArray[np.float32],
) -> None:
    """Add whole proteins, which lie one after another.

    A run is a stretch of neighbouring residues on which a latent is active.

    Args:
        indptr: where the codes of each residue begin [n_rows + 1].
        latents: latent of each code, ascending within a residue.
        values: its activation, positive.
        first_row: where each protein begins [n_proteins + 1].
        kinds: amino acid of each residue [n_rows].
        runs: counts of runs by length [n_latents, longest + 1]; longer ones count as the longest.
        gaps: counts of distances from the start of a run to that of the next in its protein
            [n_latents, longest + 1]; longer ones count as the longest.
        bins: counts of active residues by tenth of the protein [n_latents, n_bins].
        letters: counts of active residues by amino acid [n_latents, n_kinds].
        letter_sums: sums of activations by amino acid [n_latents, n_kinds].
        sums: sums of squared activations, and of relative positions from -1 to 1 [n_latents, 2].
        pairs: output by protein, then latent: latent, protein (from 0), peak (row in the protein, the first
            of the maximum), active residues [4, n_pairs].
        peaks: output: the maximum [n_pairs].
    """
    n_latents, n_bins = bins.shape
    longest_run, longest_gap = runs.shape[1] - 1, gaps.shape[1] - 1
    n_pairs = 0
    for protein in range(len(first_row) - 1):
        begin, length = first_row[protein], first_row[protein + 1] - first_row[protein]
        start = indptr[begin]
        counts = np.zeros(n_latents, np.int64)
        for i in range(start, indptr[begin + length]):
            counts[latents[i]] += 1
        ends = np.cumsum(counts)
        place = ends - counts
        rows = np.empty(ends[-1], np.int64)  # latent by latent, ascending
        acts = np.empty(ends[-1], np.float32)
        for row in range(length):
            for i in range(indptr[begin + row], indptr[begin + row + 1]):
                latent = latents[i]
                rows[place[latent]], acts[place[latent]] = row, values[i]
                place[latent] += 1
        for latent in np.flatnonzero(counts):
            first, end = ends[latent] - counts[latent], ends[latent]
            best = first
            run_start = rows[first]
            for j in range(first, end):
                row, act = rows[j], np.float64(acts[j])
                if acts[j] > acts[best]:
                    best = j
                kind = kinds[begin + row]
                letters[latent, kind] += 1
                letter_sums[latent, kind] += act
                sums[latent, 0] += act * act
                sums[latent, 1] += (2 * row + 1) / length - 1
                bins[latent, (2 * row + 1) * n_bins // (2 * length)] += 1
                if j > first and row != rows[j - 1] + 1:
                    runs[latent, min(rows[j - 1] + 1 - run_start, longest_run)] += 1
                    gaps[latent, min(row - run_start, longest_gap)] += 1
                    run_start = row
            runs[latent, min(rows[end - 1] + 1 - run_start, longest_run)] += 1
            pairs[0, n_pairs], pairs[1, n_pairs] = latent, protein
            pairs[2, n_pairs], pairs[3, n_pairs] = rows[best], counts[latent]
            peaks[n_pairs] = acts[best]
            n_pairs += 1


@compiled
def gather(
    latents: NDArray[np.int32],
    values: NDArray[np.float32],
    first: int,
    place: Ints,
    found: NDArray[np.float32],
) -> None:
    """Copy the values of some neighbouring latents, latent by latent.

    Args:
        latents: latent of each code.
        values: its activation.
        first: the first latent that is wanted.
        place: where the next value of each wanted latent goes [n_wanted]; moved on.
        found: output.
    """
    n_wanted = len(place)
    for i in range(len(latents)):
        wanted = latents[i] - first
        if 0 <= wanted < n_wanted:
            found[place[wanted]] = values[i]
            place[wanted] += 1


@compiled
def count_together(
    indptr: Ints, latents: NDArray[np.int32], column: Ints, together: NDArray[np.int32]
) -> None:
    """Count residues on which two latents are active, in the upper triangle.

    Args:
        indptr: where the codes of each residue begin [n_rows + 1].
        latents: latent of each code, ascending within a residue.
        column: ascending column of each latent; -1: it does not count [n_latents].
        together: added to [n_columns, n_columns]; the diagonal counts residues of one latent.
    """
    for row in range(len(indptr) - 1):
        for i in range(indptr[row], indptr[row + 1]):
            one = column[latents[i]]
            if one < 0:
                continue
            for j in range(i, indptr[row + 1]):
                other = column[latents[j]]
                if other >= 0:
                    together[one, other] += 1
