"""Training batches from shards too large for memory: a shuffled stream through a buffer of bounded size."""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from protsae.activations.reader import ActivationStore
from protsae.activations.sampler import ResidueBatch, ResidueSampler, Sampler
from protsae.activations.schema import storage_dtype
from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator

_LOGGER = logging.getLogger(__name__)
_GB = 1e9
_INDEX = 8
"""Bytes of a residue index."""
_BATCHES_IN_BUFFER = 4
"""A buffer of fewer batches would mix too little."""


class _Waiting(NamedTuple):
    """The residues drawn of one protein."""

    protein: int
    residue_index: NDArray[np.int64]
    rows: NDArray[np.floating]


class StreamingSampler(Sampler):
    """Like `ResidueSampler`, without holding its proteins in memory.

    An epoch reads the row groups of all shards in shuffled order, draws residues of every protein and keeps
    them in a buffer. While that is full, proteins leave it at random, into batches: a batch holds proteins
    from all over the shards, and no order of theirs survives. In memory are the buffer, one row group as read
    and as it is taken apart, and one batch.
    """

    def _prepare(self, protein_ids: Sequence[str], max_memory_gb: float) -> None:
        store = self._store
        self._groups = store.groups(protein_ids)
        drawn = np.minimum(self._n_stored, self._residues_per_protein)
        vector = store.d_model * storage_dtype(store.manifest.dtype).itemsize
        batch_rows = int(drawn.max()) * self._proteins_per_batch
        # a batch as it leaves the buffer, joined, and as float32, while the caller still holds the last one
        fixed = 2 * store.largest_group * vector + batch_rows * (
            2 * vector + _INDEX + 2 * _out(store.d_model)
        )
        row_bytes = vector + _INDEX
        self._capacity = int((max_memory_gb * _GB - fixed) / row_bytes)
        if self._capacity < min(_BATCHES_IN_BUFFER * batch_rows, int(drawn.sum())):
            needed = (fixed + _BATCHES_IN_BUFFER * batch_rows * row_bytes) / _GB
            raise InputError(
                f"streaming batches of {batch_rows} residues of {store.d_model} dimensions needs "
                f"{needed:.3g} GB of memory, {max_memory_gb:.3g} GB are allowed: raise max_memory_gb, or "
                "lower proteins_per_batch or residues_per_protein"
            )

    def epoch(self, epoch: int) -> Iterator[ResidueBatch]:
        """Yield the batches of one epoch: a pure function of (seed, epoch), proteins, store and memory.

        Args:
            epoch: number of the epoch.
        """
        generator = numpy_generator(self._seed, "streaming-sampler", epoch)
        leaving: list[_Waiting] = []
        for protein in self._shuffled(generator):
            leaving.append(protein)
            if len(leaving) == self._proteins_per_batch:
                yield _batch(leaving)
                leaving = []
        if leaving:
            yield _batch(leaving)

    def _shuffled(self, generator: np.random.Generator) -> Iterator[_Waiting]:
        """Yield every protein once, with its draw."""
        buffer: list[_Waiting] = []
        n_rows = 0
        for group in generator.permutation(len(self._groups)):
            for position, residues, values in self._store.read_group(self._hook_point, self._groups[group]):
                taken = self._draw(len(residues), generator)
                buffer.append(_Waiting(self._number[position], residues[taken], values[taken]))
                n_rows += len(taken)
                while n_rows > self._capacity:
                    protein = _pop(buffer, generator)
                    n_rows -= len(protein.rows)
                    yield protein
            del residues, values  # views that would keep the row group in memory
        while buffer:
            yield _pop(buffer, generator)

    def _draw(self, n_rows: int, generator: np.random.Generator) -> NDArray[np.int64]:
        return np.sort(generator.permutation(n_rows)[: self._residues_per_protein])


def sampler_for(
    store: ActivationStore, hook_point: str, protein_ids: Sequence[str], *, max_memory_gb: float, **draws: int
) -> Sampler:
    """Return a `ResidueSampler` where its proteins fit into `max_memory_gb`, else a `StreamingSampler`.

    Args:
        store: see `Sampler`, as for the others.
        hook_point: which column of the shards.
        protein_ids: the proteins to draw from.
        max_memory_gb: GB (10^9 bytes) that may be taken.
        draws: `residues_per_protein`, `proteins_per_batch`, `seed`.
    """
    needed = ResidueSampler.memory_gb(store, protein_ids)
    if needed <= max_memory_gb:
        return ResidueSampler(store, hook_point, protein_ids, max_memory_gb=max_memory_gb, **draws)
    message = "%d proteins take %.3g GB, %.3g are allowed: streaming them"
    _LOGGER.info(message, len(protein_ids), needed, max_memory_gb)
    return StreamingSampler(store, hook_point, protein_ids, max_memory_gb=max_memory_gb, **draws)


def _out(d_model: int) -> int:
    """Return the bytes of a residue in a batch: float32 values, segment and index."""
    return 4 * d_model + 2 * _INDEX


def _pop(buffer: list[_Waiting], generator: np.random.Generator) -> _Waiting:
    """Take one protein at random; the last one takes its place."""
    place = int(generator.integers(len(buffer)))
    buffer[place], buffer[-1] = buffer[-1], buffer[place]
    return buffer.pop()


def _batch(proteins: list[_Waiting]) -> ResidueBatch:
    return ResidueBatch.of(
        rows=np.concatenate([protein.rows for protein in proteins]),
        counts=[len(protein.rows) for protein in proteins],
        proteins=np.array([protein.protein for protein in proteins]),
        residues=np.concatenate([protein.residue_index for protein in proteins]),
    )
