"""Whole proteins joined into batches of residues, one split at a time, in one pass over the store."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.core.progress import track

Residues = tuple[str, NDArray[np.int64], NDArray[np.float32]]
"""A protein's id, the 0-based positions of its stored residues [n], and their activations [n, d_model]."""


class ProteinSource(Protocol):
    """What is read from: `activations.ActivationStore`, or anything that yields proteins."""

    def iter_residues(self, hook_point: str, protein_ids: Sequence[str]) -> Iterable[Residues]:
        """Yield proteins with their stored residues."""

    def statistics(self, hook_point: str, protein_ids: Sequence[str]) -> Any:
        """Return something with `mean` [d_model], that of all residues of some proteins."""


@dataclass(frozen=True)
class ProteinBatch:
    """Whole proteins of one split, one after another."""

    split: str
    protein_ids: list[str]
    lengths: list[int]
    """Stored residues of each protein."""
    residue_index: NDArray[np.int64]
    """0-based position of each residue in its protein [sum of lengths]."""
    x: Tensor
    """Activations, float32 [sum of lengths, d_model]."""

    @property
    def protein(self) -> NDArray[np.int64]:
        """Position in `protein_ids` of each residue's protein [sum of lengths]."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)


def protein_batches(
    source: ProteinSource, hook_point: str, split_of: Mapping[str, str], residues_per_batch: int
) -> Iterator[ProteinBatch]:
    """Read the proteins of `split_of` once, in stored order, and batch each split by itself.

    Args:
        source: where activations are.
        hook_point: which activations.
        split_of: protein id to split; only these proteins are read.
        residues_per_batch: a batch is closed when it holds at least this many residues.
    """
    waiting: dict[str, list[Residues]] = {}
    proteins = source.iter_residues(hook_point, list(split_of))
    for protein in track(proteins, f"Reading {hook_point}", total=len(split_of)):
        split = split_of[protein[0]]
        kept = waiting.setdefault(split, [])
        kept.append(protein)
        if sum(len(block) for *_, block in kept) >= residues_per_batch:
            yield _joined(split, waiting.pop(split))
    for split in sorted(waiting):
        yield _joined(split, waiting[split])


def _joined(split: str, proteins: list[Residues]) -> ProteinBatch:
    names, indices, blocks = zip(*proteins, strict=True)
    return ProteinBatch(
        split=split,
        protein_ids=list(names),
        lengths=[len(block) for block in blocks],
        residue_index=np.concatenate(indices),
        x=torch.from_numpy(np.concatenate(blocks)),
    )
