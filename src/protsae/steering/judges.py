"""Judges: they score sequences for concepts and know nothing of how the sequences were made."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Judge(Protocol):
    """Scores sequences for concepts."""

    @property
    def concept_ids(self) -> Sequence[str]:
        """The concepts, in the order of the columns of `scores`."""

    def scores(self, sequences: Sequence[str]) -> NDArray[np.float64]:
        """Return how far sequences have concepts, from 0 to 1 [n_sequences, n_concepts]."""
