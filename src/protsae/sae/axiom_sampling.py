"""Mini-batches of axioms, and pairs of classes that no axiom relates."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from protsae.core.seeding import torch_generator
from protsae.sae.axioms import AxiomIndices, subsumers


class AxiomSampler:
    """Draws axioms and negative pairs; every draw is a pure function of (seed, step).

    Args:
        axioms: all axioms.
        n_axioms: axioms of each form per draw, without replacement; all of a form with fewer. 0: all.
        n_negatives: negative pairs per draw. Their classes are left and right sides of NF1 axioms, so that
            classes occur as often in negatives as in axioms.
    """

    def __init__(self, axioms: AxiomIndices, n_axioms: int, n_negatives: int) -> None:
        self._axioms = axioms
        self._n_axioms = n_axioms
        self._n_negatives = n_negatives
        self._subsumed = subsumed_keys(axioms) if n_negatives else np.empty(0, dtype=np.int64)

    def is_of(self, axioms: AxiomIndices) -> bool:
        """Say whether this sampler draws from `axioms`."""
        return self._axioms is axioms

    def draw(self, seed: int, step: int) -> AxiomIndices:
        """Return the axioms of one step.

        Args:
            seed: of the run.
            step: number of the step.
        """
        generator = torch_generator(seed, "axioms", step)
        axioms = self._axioms
        if self._n_axioms:
            forms = ("nf1", "nf2", "nf3", "nf4", "disjoint")
            drawn: dict[str, Any] = {form: self._some(getattr(axioms, form), generator) for form in forms}
            axioms = replace(axioms, **drawn)
        if self._n_negatives and len(self._axioms.nf1):
            axioms = replace(axioms, negatives=self._negatives(generator))
        return axioms

    def _some(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        if len(rows) <= self._n_axioms:
            return rows
        return rows[torch.randperm(len(rows), generator=generator)[: self._n_axioms]]

    def _negatives(self, generator: torch.Generator) -> Tensor:
        """Return up to `n_negatives` pairs [n, 2]; fewer only where nearly all pairs are subsumed."""
        nf1 = self._axioms.nf1.cpu()
        sides = torch.randint(len(nf1), (4 * self._n_negatives + 32, 2), generator=generator)
        pairs = torch.stack([nf1[sides[:, 0], 0], nf1[sides[:, 1], 1]], dim=1)
        keys = (pairs[:, 0] * self._axioms.n_classes + pairs[:, 1]).numpy()
        open_ = torch.from_numpy(~np.isin(keys, self._subsumed))
        return pairs[open_][: self._n_negatives].to(self._axioms.nf1.device)


def subsumed_keys(axioms: AxiomIndices) -> np.ndarray:
    """Return `c * n_classes + d` of every pair for which C ⊑ D follows from NF1 axioms, C ⊑ C too; sorted."""
    n = axioms.n_classes
    below, above = subsumers(axioms, n)[1].nonzero()
    keys: np.ndarray = np.sort(below.astype(np.int64) * n + above)
    return keys
