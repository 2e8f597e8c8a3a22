"""Known positives hidden, to see which methods find them again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from protsae.probing.splits import SplitLabels

Bools = NDArray[np.bool_]


def hide_labels(
    labels: SplitLabels, below: Sequence[Sequence[int]], share: float, generator: np.random.Generator
) -> Bools:
    """Draw positive pairs until a share of all is hidden; return which [n_proteins, n_concepts].

    With a pair go those of the same protein with concepts below it: these would give the answer away, because
    they imply it. Concepts above stay, as in annotations that lack detail.

    Args:
        labels: of some proteins.
        below: the concepts below each concept.
        share: of the positive pairs.
        generator: source of the draw.
    """
    positive = labels.labels & labels.labelled
    hidden = np.zeros_like(positive)
    protein, concept = np.nonzero(positive)
    wanted, n_hidden = int(np.ceil(share * len(protein))), 0
    for i in generator.permutation(len(protein)).tolist():
        if n_hidden >= wanted:
            break
        columns = np.array([concept[i], *below[concept[i]]], np.int64)
        columns = columns[positive[protein[i], columns] & ~hidden[protein[i], columns]]
        hidden[protein[i], columns] = True
        n_hidden += len(columns)
    return hidden


def without(labels: SplitLabels, hidden: Bools) -> SplitLabels:
    """Return labels in which the hidden positives are absent, as negatives are."""
    return SplitLabels(labels.protein_ids, labels.labels & ~hidden, labels.labelled)
