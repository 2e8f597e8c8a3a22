"""The data of a training: batches of residues, labels and axioms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from protsae.activations.sampler import ResidueBatch
from protsae.annotations.labels import LabelTables, ResidueLabels
from protsae.annotations.local_evidence import LocalEvidence
from protsae.sae.axioms import AxiomIndices, subsumers


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
    """Bool [n_proteins, n_defined]; False: unknown."""
    residues: ResidueLabels | None = None
    """Which residues carry the residue-level concepts; None: there are no such concepts."""
    is_residue_level: Tensor | None = None
    """Bool [n_defined]; None: no concept is."""
    evidence: LocalEvidence | None = None
    """Local evidence for the concepts of whole proteins; None: not needed."""

    def rates(self) -> Tensor:
        """Return the share of positives among labelled proteins [n_defined], one pseudo-count of each; for
        residue-level concepts among the residues of these proteins."""
        known = self.labelled.to(self.labels.dtype)
        n_positive, n_known = (self.labels * known).sum(dim=0), known.sum(dim=0)
        if self.residues is not None and self.is_residue_level is not None:
            lengths = torch.from_numpy(np.diff(self.residues.first_row)).to(known.dtype)
            carrying = torch.from_numpy(self.residues.counts(self.labelled.numpy())).to(known.dtype)
            n_positive = torch.where(self.is_residue_level, carrying, n_positive)
            n_known = torch.where(self.is_residue_level, lengths @ known, n_known)
        return (n_positive + 1) / (n_known + 2)

    def site_rates(self) -> Tensor:
        """Return the mean local evidence of the residues of positive proteins [n_defined], with one
        pseudo-count of each kind."""
        assert self.evidence is not None
        total, n = self.evidence.totals()
        return torch.from_numpy((total + 1) / (n + 2)).to(self.labels.dtype)

    def evidence_of(self, batch: ResidueBatch) -> Tensor | None:
        """Return the local evidence of a batch's residues [n_residues, n_defined]; None: not needed."""
        if self.evidence is None:
            return None
        owner = batch.proteins[batch.segment].numpy()
        return torch.from_numpy(self.evidence.dense(owner, batch.residue_index.numpy()))

    def of_residues(self, batch: ResidueBatch) -> Tensor | None:
        """Return the labels of a batch's residues [n_residues, n_defined]; None without residue-level
        concepts."""
        if self.residues is None:
            return None
        owner = batch.proteins[batch.segment].numpy()
        dense = self.residues.dense(owner, batch.residue_index.numpy(), self.labels.shape[1])
        return torch.from_numpy(dense)


@dataclass(frozen=True)
class Split:
    """The proteins of one split."""

    protein_ids: Sequence[str]
    batches: Batches
    labels: Labels | None = None
    means: Tensor | None = None
    """Float [n_proteins, d_model]: mean raw activation over all stored residues; None: not needed."""


@dataclass(frozen=True)
class ConceptAxioms:
    """The axioms over the concepts, and what follows from them for guidance."""

    axioms: AxiomIndices
    is_ancestor: np.ndarray
    """Bool [n_concepts, n_concepts]: [c, d] true where NF1 axioms make d an ancestor of c."""
    aspects: np.ndarray
    """Aspect of each concept [n_concepts]."""

    def to(self, device: torch.device) -> "ConceptAxioms":
        """Return it with the axioms on a device."""
        on_device: dict[str, Any] = {
            name: value.to(device) for name, value in vars(self.axioms).items() if isinstance(value, Tensor)
        }
        return replace(self, axioms=replace(self.axioms, **on_device))

    @classmethod
    def of(cls, axioms: AxiomIndices, aspects: Sequence[str]) -> "ConceptAxioms":
        """Close the NF1 pairs, over zero concepts too, from the concepts upwards; keep the concepts' part."""
        m = len(aspects)
        parents, reach = subsumers(axioms, m)
        return cls(axioms, (reach @ parents)[:, :m].toarray(), np.asarray(aspects))


def labels_of(tables: LabelTables, protein_ids: Sequence[str], lengths: Mapping[str, int]) -> Labels:
    """Return the labels of some proteins, rows in their order."""
    labels, labelled = (torch.from_numpy(matrix) for matrix in tables.matrix(protein_ids))
    is_residue_level = tables.is_residue_level
    if not is_residue_level.any():
        return Labels(labels, labelled)
    residues = ResidueLabels.of(tables.residue_labels, protein_ids, lengths)
    return Labels(labels, labelled, residues, torch.from_numpy(is_residue_level))
