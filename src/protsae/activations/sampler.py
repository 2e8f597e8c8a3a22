"""Training batches: residues sampled per protein, every draw a pure function of (seed, epoch)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from protsae.activations.reader import ActivationStore
from protsae.activations.schema import storage_dtype
from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator

if TYPE_CHECKING:
    from torch import Tensor

_GB = 1e9


@dataclass(frozen=True)
class ResidueBatch:
    """Residues of some proteins."""

    x: "Tensor"
    """Activations, float32 [n_residues, d_model], the residues of a protein side by side."""
    segment: "Tensor"
    """Position within `proteins` of each residue's protein, int64 [n_residues], ascending."""
    proteins: "Tensor"
    """Indices into the `protein_ids` that the sampler was given, int64 [n_proteins]."""
    residue_index: "Tensor"
    """0-based position of each residue within its protein, int64 [n_residues]."""

    @classmethod
    def of(
        cls, rows: np.ndarray, counts: Sequence[int] | np.ndarray, proteins: np.ndarray, residues: np.ndarray
    ) -> "ResidueBatch":
        """Return the batch of some residues.

        Args:
            rows: activations as stored [n_residues, d_model], the residues of a protein side by side.
            counts: residues of each protein [n_proteins].
            proteins: indices of the proteins, int64 [n_proteins].
            residues: 0-based position of each residue within its protein [n_residues].
        """
        import torch

        return cls(
            x=torch.from_numpy(rows.astype(np.float32, copy=False)),
            segment=torch.from_numpy(np.repeat(np.arange(len(counts)), counts)),
            proteins=torch.from_numpy(proteins),
            residue_index=torch.from_numpy(residues.astype(np.int64)),
        )


class Sampler(ABC):
    """Draws residues of proteins, batch by batch."""

    def __init__(
        self,
        store: ActivationStore,
        hook_point: str,
        protein_ids: Sequence[str],
        *,
        residues_per_protein: int,
        proteins_per_batch: int,
        seed: int,
        max_memory_gb: float = 8.0,
    ) -> None:
        """Prepare the draws.

        Args:
            store: where the activations are.
            hook_point: which column of the shards.
            protein_ids: the proteins to draw from; batches index into this list.
            residues_per_protein: residues drawn of each protein per epoch; all of a shorter one.
            proteins_per_batch: proteins per batch; the last batch of an epoch may hold fewer.
            seed: seed of all draws.
            max_memory_gb: GB (10^9 bytes) that may be taken.

        Raises:
            InputError: no proteins, an unknown or repeated one, a count below 1, or memory above the limit.
        """
        counts = {
            "residues_per_protein": residues_per_protein,
            "proteins_per_batch": proteins_per_batch,
            "number of proteins": len(protein_ids),
        }
        for name, value in counts.items():
            if value < 1:
                raise InputError(f"{name} is {value}, it must be at least 1")
        self._store, self._hook_point = store, hook_point
        self._residues_per_protein = residues_per_protein
        self._proteins_per_batch = proteins_per_batch
        self._seed = seed
        self._number = {int(position): i for i, position in enumerate(store.positions(protein_ids))}
        stored = store.n_rows()
        self._n_stored = np.array([stored[protein_id] for protein_id in protein_ids], dtype=np.int64)
        self._prepare(protein_ids, max_memory_gb)

    @abstractmethod
    def _prepare(self, protein_ids: Sequence[str], max_memory_gb: float) -> None:
        """Read or plan the reading of the proteins within the memory allowed."""

    @property
    def n_batches(self) -> int:
        """Batches per epoch."""
        return -(-len(self._number) // self._proteins_per_batch)

    @abstractmethod
    def epoch(self, epoch: int) -> Iterator[ResidueBatch]:
        """Yield the batches of one epoch: a pure function of the seed, its number and what was given."""


class ResidueSampler(Sampler):
    """Shuffles proteins and samples residues of each, without replacement, anew in every epoch.

    Holds all stored residues of its proteins in memory, in the type in which they are stored: 2 bytes per
    value for float16, so 1 GB is 3.1 million residues of 160 dimensions or 390,000 of 1,280.
    """

    def _prepare(self, protein_ids: Sequence[str], max_memory_gb: float) -> None:
        store, n_rows = self._store, int(self._n_stored.sum())
        needed = self.memory_gb(store, protein_ids)
        if needed > max_memory_gb:
            raise InputError(
                f"sampling {n_rows} residues of {store.d_model} dimensions needs {needed:.3g} GB of memory, "
                f"{max_memory_gb:.3g} GB are allowed: raise max_memory_gb or take fewer proteins"
            )
        first_row = np.cumsum(self._n_stored) - self._n_stored
        self._rows = np.empty((n_rows, store.d_model), dtype=storage_dtype(store.manifest.dtype))
        self._residue_index = np.empty(n_rows, dtype=np.int32)
        for position, residues, block in store.iter_stored(self._hook_point, protein_ids):
            first = first_row[self._number[position]]
            self._rows[first : first + len(block)] = block
            self._residue_index[first : first + len(block)] = residues

    @staticmethod
    def memory_gb(store: ActivationStore, protein_ids: Sequence[str]) -> float:
        """Return how many GB (10^9 bytes) the stored residues of some proteins take."""
        stored, dtype = store.n_rows(), storage_dtype(store.manifest.dtype)
        n_rows = sum(stored[protein_id] for protein_id in protein_ids if protein_id in stored)
        return n_rows * store.d_model * dtype.itemsize / _GB

    def epoch(self, epoch: int) -> Iterator[ResidueBatch]:
        """Yield the batches of one epoch: a pure function of (seed, epoch) and the sampler's proteins.

        Args:
            epoch: number of the epoch.
        """
        proteins, rows, ends = self._draw(epoch)
        starts = np.concatenate([[0], ends[:-1]])
        for first in range(0, len(proteins), self._proteins_per_batch):
            members = slice(first, first + self._proteins_per_batch)
            counts = ends[members] - starts[members]
            taken = rows[starts[first] : starts[first] + counts.sum()]
            yield ResidueBatch.of(self._rows[taken], counts, proteins[members], self._residue_index[taken])

    def _draw(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the shuffled proteins, the rows drawn of them side by side, and where each one's rows end.

        Every row gets 32 random bits; a protein's sample is its rows of smallest bits. One sort serves all
        proteins, because the bits above them are the protein's rank in the shuffled order.
        """
        generator = numpy_generator(self._seed, "residue-sampler", epoch)
        proteins = generator.permutation(len(self._n_stored)).astype(np.int64)
        rank = np.empty_like(proteins)
        rank[proteins] = np.arange(len(proteins))
        keys = np.repeat(rank << 32, self._n_stored) | generator.integers(2**32, size=len(self._rows))
        by_protein = np.argsort(keys, kind="stable")
        length = self._n_stored[proteins]
        within = np.arange(len(by_protein)) - np.repeat(np.cumsum(length) - length, length)
        rows = by_protein[within < self._residues_per_protein]
        return proteins, rows, np.cumsum(np.minimum(length, self._residues_per_protein))
