"""Judges: they score sequences for concepts and know nothing of how the sequences were made.

`ProbeJudge` is a logistic regression per concept. On k-mers there is no language model in it; on mean
activations of a language model it is independent only of designs that this model did not make.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS, character_codes, code_table
from protsae.metrics.ranking import roc_auc
from protsae.probing.logistic import LogisticProbes, fit_path
from protsae.steering.decoding import Decoder

LEAST_AUC = 0.75
"""A concept whose judge ranks held-out proteins worse is not judged by it."""
_L2 = 0.3
_NUMBER = code_table(AMINO_ACIDS, other=-1)
_N = len(AMINO_ACIDS)
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Features = Callable[[Sequence[str]], NDArray[np.floating[Any]]]
"""Sequences to features [n_sequences, n_features]."""


class Judge(Protocol):
    """Scores sequences for concepts."""

    @property
    def concept_ids(self) -> Sequence[str]:
        """The concepts, in the order of the columns of `scores`."""

    def scores(self, sequences: Sequence[str]) -> NDArray[np.float64]:
        """Return how far sequences have concepts, from 0 to 1 [n_sequences, n_concepts]."""


@dataclass(frozen=True)
class Known:
    """Natural proteins and their concepts."""

    sequences: Sequence[str]
    labels: Bools
    """[n, n_concepts]."""
    labelled: Bools
    """[n, n_concepts], false where it is not known."""


@dataclass(frozen=True)
class ProbeJudge:
    """One logistic regression per concept."""

    concept_ids: Sequence[str]
    features: Features
    probes: LogisticProbes
    held_out_auc: Floats
    """[n_concepts]."""
    _natural: tuple[Floats, ...]
    """Sorted log odds of the held-out proteins with each concept."""

    @classmethod
    def fit(
        cls, features: Features, concept_ids: Sequence[str], train: Known, held_out: Known, l2: float = _L2
    ) -> "ProbeJudge":
        """Train the judge.

        Args:
            features: what it sees of a sequence.
            concept_ids: the concepts.
            train: proteins of other homology clusters than those that are held out and than those whose
                designs are judged.
            held_out: proteins that say how good it is, and which log odds are usual.
            l2: strength of the penalty on standardised features.

        Raises:
            InputError: a concept that no protein has, or all have, in one of the two.
        """
        for name, part in {"training": train, "held-out": held_out}.items():
            n_with, n = (part.labels & part.labelled).sum(axis=0), part.labelled.sum(axis=0)
            if len(bad := np.flatnonzero((n_with == 0) | (n_with == n))):
                raise InputError(
                    f"{concept_ids[bad[0]]}: {n_with[bad[0]]} of {n[bad[0]]} {name} proteins have it, and a "
                    "judge needs both kinds. Leave this concept out, or give more proteins"
                )
        (probes,) = fit_path(features(train.sequences), train.labels, train.labelled, [l2], precise=False)
        logits = probes.logits(features(held_out.sequences))
        auc = roc_auc(logits, held_out.labels, held_out.labelled)
        has = held_out.labels & held_out.labelled
        natural = tuple(np.sort(logits[has[:, i], i]) for i in range(len(concept_ids)))
        return cls(tuple(concept_ids), features, probes, auc, natural)

    @property
    def is_eligible(self) -> Bools:
        """Whether the judge is good enough for each concept [n_concepts]."""
        return self.held_out_auc >= LEAST_AUC

    def scores(self, sequences: Sequence[str]) -> Floats:
        """Return the share of held-out proteins with each concept whose log odds are at most as high
        [n_sequences, n_concepts]: .5 is what the median protein with the concept has."""
        logits = self.probes.logits(self.features(sequences))
        shares = [
            np.searchsorted(natural, logits[:, i], side="right") / len(natural)
            for i, natural in enumerate(self._natural)
        ]
        return np.stack(shares, axis=1)


def kmers(sequences: Sequence[str]) -> Floats:
    """Return square roots of the shares of amino acids and of pairs of neighbours [n_sequences, 420].

    Letters that are no standard amino acid do not count, nor do pairs with one.
    """
    found = np.zeros((len(sequences), _N + _N * _N))
    for row, sequence in zip(found, sequences, strict=True):
        number = _NUMBER[character_codes(sequence)].astype(np.int64)
        known = number >= 0
        pairs = (number[:-1] * _N + number[1:])[known[:-1] & known[1:]]
        row[:_N] = np.bincount(number[known], minlength=_N) / max(1, known.sum())
        row[_N:] = np.bincount(pairs, minlength=_N * _N) / max(1, len(pairs))
    return np.sqrt(found)


def mean_activations(decoder: Decoder) -> Features:
    """Return a function that gives the mean values at the decoder's hook point [n_sequences, d_model]."""

    def of(sequences: Sequence[str]) -> NDArray[np.floating[Any]]:
        return np.stack([values.mean(dim=0).numpy() for values in decoder.activations(sequences)])

    return of
