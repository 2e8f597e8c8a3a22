"""Training batches from shards too large for memory: a shuffled stream through a buffer of bounded size."""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from protsae.activations.reader import ActivationStore
from protsae.activations.sampler import ResidueBatch, ResidueSampler, check_counts
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


class StreamingSampler:
    """Like `ResidueSampler`, without holding its proteins in memory.

    An epoch reads the row groups of all shards in shuffled order, draws residues of every protein and keeps
    them in a buffer. While that is full, proteins leave it at random, into batches: a batch holds proteins
    from all over the shards, and no order of theirs survives. In memory are the buffer, one row group as read
    and as it is taken apart, and one batch.
    """

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
        """Plan the reading; nothing is read yet.

        Args:
            store: where the activations are.
            hook_point: which column of the shards.
            protein_ids: the proteins to draw from; batches index into this list.
            residues_per_protein: residues drawn of each protein per epoch; all of a shorter one.
            proteins_per_batch: proteins per batch; the last batch of an epoch may hold fewer.
            seed: seed of all draws.
            max_memory_gb: GB (10^9 bytes) that buffer, row group and batch take together.

        Raises:
            InputError: no proteins, an unknown or repeated one, a count below 1, or too little memory.
        """
        check_counts(residues_per_protein, proteins_per_batch, len(protein_ids))
        self._store, self._hook_point = store, hook_point
        self._residues_per_protein = residues_per_protein
        self._proteins_per_batch = proteins_per_batch
        self._seed = seed
        self._number = {int(position): i for i, position in enumerate(store.positions(protein_ids))}
        self._groups = store.groups(protein_ids)
        stored = store.n_rows()
        drawn = [min(stored[protein_id], residues_per_protein) for protein_id in protein_ids]
        vector = store.d_model * storage_dtype(store.manifest.dtype).itemsize
        batch_rows = max(drawn) * proteins_per_batch
        # a batch as it leaves the buffer, joined, and as float32, beside the last one in the caller's hands
        fixed = 2 * store.largest_group * vector + batch_rows * (
            2 * vector + _INDEX + 2 * _out(store.d_model)
        )
        row_bytes = vector + _INDEX
        self._capacity = int((max_memory_gb * _GB - fixed) / row_bytes)
        if self._capacity < min(_BATCHES_IN_BUFFER * batch_rows, sum(drawn)):
            needed = (fixed + _BATCHES_IN_BUFFER * batch_rows * row_bytes) / _GB
            raise InputError(
                f"streaming batches of {batch_rows} residues of {store.d_model} dimensions needs "
                f"{needed:.3g} GB of memory, {max_memory_gb:.3g} GB are allowed: raise max_memory_gb, or "
                "lower proteins_per_batch or residues_per_protein"
            )

    @property
    def n_batches(self) -> int:
        """Batches per epoch."""
        return -(-len(self._number) // self._proteins_per_batch)

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
            del residues, values  # views that would keep the row group beside the next one
        while buffer:
            yield _pop(buffer, generator)

    def _draw(self, n_rows: int, generator: np.random.Generator) -> NDArray[np.int64]:
        return np.sort(generator.permutation(n_rows)[: self._residues_per_protein])


def sampler_for(
    store: ActivationStore,
    hook_point: str,
    protein_ids: Sequence[str],
    *,
    residues_per_protein: int,
    proteins_per_batch: int,
    seed: int,
    max_memory_gb: float,
) -> ResidueSampler | StreamingSampler:
    """Return a `ResidueSampler` where its proteins fit into `max_memory_gb`, else a `StreamingSampler`."""
    needed = ResidueSampler.memory_gb(store, protein_ids)
    kind = ResidueSampler if needed <= max_memory_gb else StreamingSampler
    if kind is StreamingSampler:
        _LOGGER.info(
            "%d proteins take %.3g GB, %.3g are allowed: streaming them",
            len(protein_ids),
            needed,
            max_memory_gb,
        )
    return kind(
        store,
        hook_point,
        protein_ids,
        residues_per_protein=residues_per_protein,
        proteins_per_batch=proteins_per_batch,
        seed=seed,
        max_memory_gb=max_memory_gb,
    )


def _out(d_model: int) -> int:
    """Return the bytes of a residue in a batch: float32 values, segment and index."""
    return 4 * d_model + 2 * _INDEX


def _pop(buffer: list[_Waiting], generator: np.random.Generator) -> _Waiting:
    """Take one protein at random; the last one takes its place."""
    place = int(generator.integers(len(buffer)))
    buffer[place], buffer[-1] = buffer[-1], buffer[place]
    return buffer.pop()


def _batch(proteins: list[_Waiting]) -> ResidueBatch:
    import torch

    counts = [len(protein.rows) for protein in proteins]
    rows = np.concatenate([protein.rows for protein in proteins])
    return ResidueBatch(
        x=torch.from_numpy(rows.astype(np.float32, copy=False)),
        segment=torch.from_numpy(np.repeat(np.arange(len(proteins)), counts)),
        proteins=torch.tensor([protein.protein for protein in proteins]),
        residue_index=torch.from_numpy(np.concatenate([protein.residue_index for protein in proteins])),
    )
