"""Where codes of residues come from: a store, or a dictionary that encodes while activations are read."""

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from protsae.core.pooling import Pooling, n_top
from protsae.core.splits import HELD_OUT
from protsae.encoding.batches import ProteinSource, Residues, protein_batches
from protsae.encoding.codes import Part, require_all_residues
from protsae.interpretation.baselines import Description
from protsae.metrics.association import ResidueCodes
from protsae.probing.labelled import LabelledProteins

_MAX_KEPT = 20_000_000  # codes of a split, 160 MB: above, it is encoded again when it is read again


class CodeSource(Protocol):
    """What codes are read from: `encoding.codes.CodeStore` or `FreshCodes`."""

    @property
    def n_latents(self) -> int:
        """Width of the dictionary."""

    def read(self, protein_ids: Collection[str]) -> Iterator[Part]:
        """Yield proteins with the codes of all their residues, in stored order."""


class FreshCodes:
    """Codes of a dictionary that is not stored, made from activations or letters.

    Args:
        source: stored activations.
        hook_point: which ones.
        dictionary: what encodes them.
        proteins: the proteins.
        residues_per_batch: bounds memory.
    """

    def __init__(
        self,
        source: ProteinSource,
        hook_point: str,
        dictionary: Description,
        proteins: LabelledProteins,
        residues_per_batch: int,
    ) -> None:
        self._dictionary, self._proteins = dictionary, proteins
        self._source, self._hook_point, self._residues_per_batch = source, hook_point, residues_per_batch
        self._kept: dict[str, list[Part]] = {}

    @property
    def n_latents(self) -> int:
        """Width of the dictionary."""
        return self._dictionary.n_latents

    def read(self, protein_ids: Collection[str]) -> Iterator[Part]:
        """Yield proteins in stored order: those that were kept, or encoded again."""
        wanted = set(protein_ids)
        kept = [split for split in self._kept if wanted <= set(self._proteins.ids[split])]
        parts = (
            self._kept[kept[0]]
            if kept
            else (part for _, part in self._encoded(dict.fromkeys(protein_ids, "")))
        )
        for names, codes in parts:
            here = [name in wanted for name in names]
            if all(here):
                yield names, codes
            elif any(here):
                lengths = [len(self._proteins.letters[name]) for name in names]
                yield [n for n in names if n in wanted], codes.rows(np.repeat(here, lengths))

    def pooled(self, pooling: Pooling) -> dict[str, NDArray[np.float64]]:
        """Pool over residues, see `pool_codes`: split to latents of its proteins [n_proteins, n_latents].

        The codes of held-out splits are kept for `read` if they are few.
        """
        ids = self._proteins.ids
        place = {name: i for names in ids.values() for i, name in enumerate(names)}
        pooled = {split: np.zeros((len(names), self.n_latents)) for split, names in ids.items()}
        kept: dict[str, list[Part]] = {split: [] for split in HELD_OUT}
        n_codes: dict[str, int] = dict.fromkeys(HELD_OUT, 0)
        for split, (names, codes) in self._encoded({p: s for s, some in ids.items() for p in some}):
            lengths = [len(self._proteins.letters[name]) for name in names]
            rows = [place[name] for name in names]
            pooled[split][rows] = pool_codes(codes, lengths, self.n_latents, pooling)
            if split in kept:
                n_codes[split] += len(codes.latents)
                kept[split].append((names, codes))
                if n_codes[split] > _MAX_KEPT:
                    del kept[split]
        self._kept = kept
        return pooled

    @torch.inference_mode()
    def _encoded(self, split_of: Mapping[str, str]) -> Iterator[tuple[str, Part]]:
        for batch in protein_batches(self._source, self._hook_point, split_of, self._residues_per_batch):
            lengths = self._proteins.lengths(batch.protein_ids)
            require_all_residues(batch.protein_ids, batch.lengths, list(lengths.values()))
            letters = self._proteins.letters_of(batch.protein_ids)
            yield batch.split, (batch.protein_ids, self._dictionary.codes(batch, letters))


class LettersOnly:
    """A source of proteins without activations, for dictionaries that read sequences alone."""

    def __init__(self, proteins: LabelledProteins) -> None:
        self._proteins = proteins

    def iter_residues(self, hook_point: str, protein_ids: Collection[str]) -> Iterator[Residues]:
        """Yield ids with empty rows."""
        for protein_id in protein_ids:
            n = len(self._proteins.letters[protein_id])
            yield protein_id, np.arange(n), np.empty((n, 0), np.float32)

    def statistics(self, hook_point: str, protein_ids: Collection[str]) -> None:
        """Return nothing: there are no activations."""


def pool_codes(
    codes: ResidueCodes, lengths: list[int], n_latents: int, pooling: Pooling
) -> NDArray[np.float64]:
    """Pool over the residues of each protein, see `core.pooling.Pooling` [n_proteins, n_latents]."""
    row = np.repeat(np.arange(len(codes)), np.diff(codes.indptr))
    protein = np.repeat(np.arange(len(lengths)), lengths)[row]
    at, values = protein * n_latents + codes.latents, codes.values
    if pooling == "max":
        highest = np.zeros(len(lengths) * n_latents)
        np.maximum.at(highest, at, values)
        return highest.reshape(len(lengths), n_latents)
    n_pooled = np.array(lengths)
    if pooling == "top":
        n_pooled = n_top(n_pooled)
        order = np.lexsort((-values, at))
        at, values = at[order], values[order]
        rank = np.arange(len(at)) - np.searchsorted(at, at)
        kept = rank < n_pooled[at // n_latents]
        at, values = at[kept], values[kept]
    total = np.bincount(at, weights=values, minlength=len(lengths) * n_latents)
    pooled: NDArray[np.float64] = total.reshape(len(lengths), n_latents) / n_pooled[:, None]
    return pooled
