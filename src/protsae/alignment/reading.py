"""Codes of the proteins of all splits, from one pass over the stored activations where memory allows."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from protsae.alignment.dictionaries import Dictionary
from protsae.alignment.ground import Ground
from protsae.metrics.association import ResidueCodes
from protsae.probing.batches import ProteinSource, protein_batches

Part = tuple[list[str], ResidueCodes]
"""Some whole proteins and the codes of their residues."""
_KEPT_SPLITS = ("validation", "test")
_MAX_KEPT = 20_000_000  # codes of a split, 160 MB: beyond, it is encoded anew when it is read again


@dataclass(frozen=True)
class Gathered:
    """What one pass leaves."""

    pooled: dict[str, NDArray[np.float64]]
    """Split to latents pooled over the residues of its proteins [n_proteins, n_latents]; empty where nobody
    asked."""
    samples: dict[str, list[Part]] = field(default_factory=dict)
    """Split to the codes of the proteins that were asked for."""


class Reader:
    """Codes of proteins, batch by batch.

    Args:
        source: stored activations.
        hook_point: which ones.
        dictionary: what encodes them.
        ground: the proteins.
        residues_per_batch: bounds memory.
    """

    def __init__(
        self,
        source: ProteinSource,
        hook_point: str,
        dictionary: Dictionary,
        ground: Ground,
        residues_per_batch: int,
    ) -> None:
        self.dictionary, self.ground = dictionary, ground
        self._source, self._hook_point, self._residues_per_batch = source, hook_point, residues_per_batch
        self._kept: dict[str, list[Part]] = {}

    def read(self, split: str) -> Iterator[Part]:
        """Yield the proteins of a split in stored order: those that were kept, or encoded anew."""
        if split in self._kept:
            yield from self._kept[split]
        else:
            yield from (part for _, part in self._encoded(dict.fromkeys(self.ground.ids[split], split)))

    def gather(self, pooling: str | None, sampled: Mapping[str, Collection[str]]) -> Gathered:
        """Read what is needed once, keeping the codes of held-out splits for `read` if they are few.

        Args:
            pooling: mean or max: latents of all splits are pooled over the residues of each protein. None:
                training proteins are read only where they are sampled.
            sampled: split to the proteins whose codes are to be returned.
        """
        ids = self.ground.ids
        wanted = {split: list(ids[split]) for split in _KEPT_SPLITS}
        wanted["train"] = ids["train"] if pooling else sorted(sampled.get("train", ()))
        pooled = {split: np.zeros((len(ids[split]), self.dictionary.n_latents)) for split in ids if pooling}
        place = {name: i for names in ids.values() for i, name in enumerate(names)}
        samples: dict[str, list[Part]] = {split: [] for split in sampled}
        kept: dict[str, list[Part]] = {split: [] for split in _KEPT_SPLITS}
        n_codes = dict.fromkeys(_KEPT_SPLITS, 0)
        for split, (names, codes) in self._encoded({p: s for s, some in wanted.items() for p in some}):
            lengths = [len(self.ground.letters[name]) for name in names]
            if pooling:
                rows = [place[name] for name in names]
                pooled[split][rows] = pool_codes(codes, lengths, self.dictionary.n_latents, pooling)
            drawn = [name for name in names if name in sampled.get(split, ())]
            if drawn:
                here = np.repeat([name in sampled[split] for name in names], lengths)
                samples[split].append((drawn, codes.rows(here)))
            if split in kept:
                n_codes[split] += len(codes.latents)
                kept[split].append((names, codes))
                if n_codes[split] > _MAX_KEPT:
                    del kept[split]
        self._kept = kept
        return Gathered(pooled, samples)

    @torch.inference_mode()
    def _encoded(self, split_of: Mapping[str, str]) -> Iterator[tuple[str, Part]]:
        for batch in protein_batches(self._source, self._hook_point, split_of, self._residues_per_batch):
            yield (
                batch.split,
                (batch.protein_ids, self.dictionary.codes(batch, self.ground.letters_of(batch))),
            )


def pool_codes(codes: ResidueCodes, lengths: list[int], n_latents: int, pooling: str) -> NDArray[np.float64]:
    """Return the mean or the maximum over the residues of each protein [n_proteins, n_latents]."""
    row = np.repeat(np.arange(len(codes)), np.diff(codes.indptr))
    protein = np.repeat(np.arange(len(lengths)), lengths)[row]
    at = protein * n_latents + codes.latents
    if pooling == "max":
        highest = np.zeros(len(lengths) * n_latents)
        np.maximum.at(highest, at, codes.values)
        return highest.reshape(len(lengths), n_latents)
    total = np.bincount(at, weights=codes.values, minlength=len(lengths) * n_latents)
    mean: NDArray[np.float64] = total.reshape(len(lengths), n_latents) / np.array(lengths)[:, None]
    return mean
