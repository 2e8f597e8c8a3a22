"""What a training run is given: batches of residues, and what guides it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from protsae.activations.sampler import ResidueBatch
from protsae.sae.axioms import AxiomIndices


class Batches(Protocol):
    """Anything that yields residue batches, epoch by epoch (`activations.ResidueSampler`)."""

    @property
    def n_batches(self) -> int:
        """Batches per epoch."""

    def epoch(self, epoch: int) -> Iterator[ResidueBatch]:
        """Yield the batches of one epoch."""


@dataclass(frozen=True)
class Labels:
    """Labels of proteins, rows in the order that `ResidueBatch.proteins` indexes."""

    labels: Tensor
    """Float [n_proteins, n_defined], 0 or 1."""
    labelled: Tensor
    """Bool [n_proteins, n_defined]; False: not known."""

    def rates(self) -> Tensor:
        """Return the share of positives among labelled proteins [n_defined], one pseudo-count of each."""
        known = self.labelled.to(self.labels.dtype)
        return ((self.labels * known).sum(dim=0) + 1) / (known.sum(dim=0) + 2)


@dataclass(frozen=True)
class Split:
    """The proteins of one split."""

    protein_ids: Sequence[str]
    batches: Batches
    labels: Labels | None = None


@dataclass(frozen=True)
class Ontology:
    """What guidance knows of the ontology."""

    axioms: AxiomIndices
    is_ancestor: np.ndarray
    """Bool [n_concepts, n_concepts]: [c, d] true where NF1 axioms make d an ancestor of c."""
    aspects: np.ndarray
    """Aspect of each concept [n_concepts]."""

    @classmethod
    def of(cls, axioms: AxiomIndices, aspects: Sequence[str]) -> "Ontology":
        """Close the NF1 pairs, over zero concepts too, from the concepts upwards; keep the concepts' part."""
        from scipy.sparse import csr_array

        m, n = len(aspects), axioms.n_classes
        child, parent = axioms.nf1.numpy().T
        parents = csr_array((np.ones(len(child), dtype=bool), (child, parent)), shape=(n, n))
        reach, n_pairs = parents[:m], -1
        while reach.nnz > n_pairs:
            n_pairs = reach.nnz
            reach = reach + reach @ parents
        return cls(axioms, reach[:, :m].toarray(), np.asarray(aspects))


def labels_of(matrices: tuple[np.ndarray, np.ndarray]) -> Labels:
    """Return tensors of `annotations.labels.label_matrix`'s (labels, labelled)."""
    labels, labelled = matrices
    return Labels(torch.from_numpy(labels).float(), torch.from_numpy(labelled).bool())
