"""The inner loops of ranking and of protein-centric metrics, compiled by numba.

Import this module inside functions: numba is slow to load. Weights are laid out [n_proteins, n_resamples], so
that one step of a loop serves all resamples at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled, vectorised

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]


@vectorised
def rank_sums(
    owner: Ints,
    positive: Bools,
    closes: Bools,
    weights: Any,
    area: Floats,
    precision: Floats,
    n_positive: Floats,
    n_negative: Floats,
) -> None:
    """Walk down one ranking and add up, in every resample, what ROC AUC and average precision are made of.

    Args:
        owner: protein of each entry, best score first [n].
        positive: whether it is a positive [n].
        closes: whether the next entry has another score [n]; the last one closes.
        weights: how often each resample holds each protein [n_proteins, n_resamples].
        area: output, zeros [n_resamples]: sum over positives of the negatives above them, ties half.
        precision: output, zeros: sum over positives of the precision at their score.
        n_positive: output, zeros: weighted positives.
        n_negative: output, zeros: weighted negatives.
    """
    n_resamples = weights.shape[1]
    tied_positive = np.zeros(n_resamples)
    tied_negative = np.zeros(n_resamples)
    is_open = False
    has_positive = False
    for i in range(len(owner)):
        row = weights[owner[i]]
        if closes[i] and not is_open and not positive[i]:  # a negative without ties: the common case
            for b in range(n_resamples):
                n_negative[b] += row[b]
            continue
        if positive[i]:
            has_positive = True
            for b in range(n_resamples):
                tied_positive[b] += row[b]
        else:
            for b in range(n_resamples):
                tied_negative[b] += row[b]
        is_open = not closes[i]
        if is_open:
            continue
        if has_positive:
            for b in range(n_resamples):
                here = tied_positive[b]
                area[b] += here * (n_negative[b] + tied_negative[b] / 2)
                above = n_positive[b] + here
                total = above + n_negative[b] + tied_negative[b]
                precision[b] += here * above / max(total, 1e-300)
                n_positive[b] = above
        for b in range(n_resamples):
            n_negative[b] += tied_negative[b]
            tied_positive[b] = 0.0
            tied_negative[b] = 0.0
        has_positive = False


@compiled
def threshold_counts(
    scores: Floats, truth: Bools, counted: Bools, information: Floats, thresholds: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Count per protein and threshold the concepts called, and those of them that are true.

    Args:
        scores: [n_proteins, n_concepts], 0 to 1.
        truth: true pairs, all of them counted [n_proteins, n_concepts].
        counted: pairs that count [n_proteins, n_concepts].
        information: weight of each concept [n_concepts].
        thresholds: ascending [n_thresholds]; called is what is at least as high.

    Returns:
        Called and hit, by number and by summed information, each [n_proteins, n_thresholds].
    """
    shape = (len(scores), len(thresholds))
    called, hit = np.zeros(shape), np.zeros(shape)
    called_information, hit_information = np.zeros(shape), np.zeros(shape)
    for i in range(shape[0]):
        for j in range(scores.shape[1]):
            # All thresholds up to this one lie at or below the score.
            last = np.searchsorted(thresholds, scores[i, j], side="right") - 1
            if last < 0 or not counted[i, j]:
                continue
            called[i, last] += 1
            called_information[i, last] += information[j]
            if truth[i, j]:
                hit[i, last] += 1
                hit_information[i, last] += information[j]
        for t in range(shape[1] - 2, -1, -1):
            called[i, t] += called[i, t + 1]
            hit[i, t] += hit[i, t + 1]
            called_information[i, t] += called_information[i, t + 1]
            hit_information[i, t] += hit_information[i, t + 1]
    return called, hit, called_information, hit_information
