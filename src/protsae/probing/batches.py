"""Whole proteins joined into batches of residues, one split at a time, in one pass over the store."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.core.progress import track


class ProteinSource(Protocol):
    """What is read from: `activations.ActivationStore`, or anything that yields proteins."""

    def iter_proteins(
        self, hook_point: str, protein_ids: list[str] | None = None
    ) -> Iterable[tuple[str, NDArray[np.float32]]]:
        """Yield protein ids with their activations [length, d_model]."""


@dataclass(frozen=True)
class ProteinBatch:
    """Whole proteins of one split, side by side."""

    split: str
    protein_ids: list[str]
    lengths: list[int]
    x: Tensor
    """Activations, float32 [sum of lengths, d_model]."""

    def pieces(self, values: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Cut per-residue values [n_residues, ...] into proteins."""
        return zip(self.protein_ids, torch.split(values, self.lengths), strict=True)


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
    waiting: dict[str, list[tuple[str, NDArray[np.float32]]]] = {}
    proteins = source.iter_proteins(hook_point, list(split_of))
    for protein_id, activations in track(proteins, f"Reading {hook_point}", total=len(split_of)):
        split = split_of[protein_id]
        kept = waiting.setdefault(split, [])
        kept.append((protein_id, activations))
        if sum(len(block) for _, block in kept) >= residues_per_batch:
            yield _joined(split, waiting.pop(split))
    for split in sorted(waiting):
        yield _joined(split, waiting[split])


def _joined(split: str, proteins: list[tuple[str, NDArray[np.float32]]]) -> ProteinBatch:
    return ProteinBatch(
        split=split,
        protein_ids=[protein_id for protein_id, _ in proteins],
        lengths=[len(block) for _, block in proteins],
        x=torch.from_numpy(np.concatenate([block for _, block in proteins])),
    )
