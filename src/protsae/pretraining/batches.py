"""Batches of cropped proteins: what is in one is a pure function of the seed and the step."""

from collections.abc import Sequence

import numpy as np

from protsae.core.seeding import numpy_generator
from protsae.plm.batching import SPECIAL_TOKENS


class ProteinBatches:
    """Every protein once per epoch, in a fresh order, under a token budget; long ones cropped at random."""

    def __init__(
        self, sequences: Sequence[str], *, tokens_per_batch: int, max_residues: int, seed: int
    ) -> None:
        """Take the proteins.

        Args:
            sequences: residues of each.
            tokens_per_batch: budget, special tokens included; holds at least one cropped protein.
            max_residues: length of a crop.
            seed: of order and crops.
        """
        self._sequences = sequences
        self._max_residues = max_residues
        self._budget = tokens_per_batch
        self._seed = seed
        lengths = np.array([len(sequence) for sequence in sequences])
        self._sizes = np.minimum(lengths, max_residues) + SPECIAL_TOKENS
        self._first_steps = [0]  # of the epochs known so far, and of the one after them
        self._epoch = -1
        self._order = np.empty(0, dtype=np.int64)
        self._ends = np.empty(0, dtype=np.int64)

    def proteins(self, step: int) -> list[int]:
        """Return the positions of the proteins in the batch of a step (0-based), shortest crop first."""
        while self._first_steps[-1] <= step:
            self._enter(len(self._first_steps) - 1)
            self._first_steps.append(self._first_steps[-1] + len(self._ends))
        epoch = int(np.searchsorted(self._first_steps, step, side="right")) - 1
        if epoch != self._epoch:
            self._enter(epoch)
        i = step - self._first_steps[epoch]
        members = self._order[self._ends[i - 1] if i else 0 : self._ends[i]]
        return [int(p) for p in members[np.argsort(self._sizes[members], kind="stable")]]

    def crops(self, step: int) -> tuple[list[int], list[str]]:
        """Return the positions of the proteins in the batch of a step, and their residues as cropped."""
        proteins = self.proteins(step)
        rng = numpy_generator(self._seed, "pretraining", "crops", step)
        return proteins, [crop(self._sequences[p], self._max_residues, rng) for p in proteins]

    def _enter(self, epoch: int) -> None:
        """Shuffle the proteins for one epoch and cut their order where the budget is full."""
        rng = numpy_generator(self._seed, "pretraining", "order", epoch)
        self._order = rng.permutation(len(self._sizes))
        totals = np.cumsum(self._sizes[self._order])
        ends = [0]
        while ends[-1] < len(totals):
            before = totals[ends[-1] - 1] if ends[-1] else 0
            ends.append(int(np.searchsorted(totals, before + self._budget, side="right")))
        self._ends = np.array(ends[1:])
        self._epoch = epoch


def crop(sequence: str, max_residues: int, rng: np.random.Generator) -> str:
    """Return the sequence, or a stretch of `max_residues` of it, every start equally likely."""
    if len(sequence) <= max_residues:
        return sequence
    start = int(rng.integers(len(sequence) - max_residues + 1))
    return sequence[start : start + max_residues]
