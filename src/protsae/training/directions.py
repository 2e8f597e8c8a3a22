"""Concept directions from labelled residues: differences of means, or Fisher's discriminant."""

from typing import Literal

import torch
from torch import Tensor

from protsae.sae.base import SparseAutoencoder
from protsae.training.data import Split


class ClassMeans:
    """Sums over residues with and without each concept, and over all for the covariance. In float64."""

    def __init__(self, n_concepts: int, d_model: int) -> None:
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.float64)

        self._sums = {True: zeros(n_concepts, d_model), False: zeros(n_concepts, d_model)}
        self._counts = {True: zeros(n_concepts), False: zeros(n_concepts)}
        self._sum, self._squares, self._n = zeros(d_model), zeros(d_model, d_model), 0

    def update(self, x: Tensor, labels: Tensor, known: Tensor) -> None:
        """Add residues.

        Args:
            x: scaled activations [n, d_model].
            labels: [n, n_concepts], 0 or 1.
            known: bool [n, n_concepts]; False pairs take no part.
        """
        x = x.double()
        for positive in (True, False):
            members = ((labels > 0) == positive) & known
            self._sums[positive] += members.double().T @ x
            self._counts[positive] += members.sum(dim=0)
        self._sum += x.sum(dim=0)
        self._squares += x.T @ x
        self._n += len(x)

    def difference(self) -> Tensor:
        """Return mean with less mean without [n_concepts, d_model]; not a number where one is missing."""
        with_it, without = (self._sums[side] / self._counts[side].unsqueeze(1) for side in (True, False))
        return with_it - without

    def discriminant(self, ridge: float) -> Tensor:
        """Return the difference times the inverse covariance [n_concepts, d_model].

        Args:
            ridge: share of the mean variance that is added to every variance.
        """
        mean = self._sum / self._n
        covariance = self._squares / self._n - torch.outer(mean, mean)
        covariance.diagonal().add_(ridge * covariance.diagonal().mean())
        directions: Tensor = torch.linalg.solve(covariance, self.difference().T).T
        return directions


def concept_directions(
    sae: SparseAutoencoder, train: Split, kind: Literal["difference", "discriminant"], ridge: float
) -> Tensor:
    """Return the directions [n_concepts, d_model] of the labels of a split, over the module's scaled input.

    One pass over the split's residues. A protein's label stands on each of its residues, a residue-level
    label on its own.
    """
    labels = train.labels
    assert labels is not None
    means = ClassMeans(labels.labels.shape[1], sae.config.d_model)
    for batch in train.batches.epoch(0):
        truth = labels.labels[batch.proteins][batch.segment]
        of_residues = labels.of_residues(batch)
        if of_residues is not None and labels.is_residue_level is not None:
            truth = torch.where(labels.is_residue_level, of_residues.to(truth.dtype), truth)
        means.update(sae.scale_input(batch.x), truth, labels.labelled[batch.proteins][batch.segment])
    return means.difference() if kind == "difference" else means.discriminant(ridge)
