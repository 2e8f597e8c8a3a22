"""Where in proteins latents are active, and which residues carry a concept."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from protsae.encoding.batches import ProteinBatch
from protsae.encoding.reading import BatchEncoding, packed_codes
from protsae.sae.base import SparseAutoencoder
from protsae.sae.protsae import ProtSae

Ints = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Active:
    """Positive codes of some latents in some proteins, by protein, latent and residue."""

    protein: Ints
    """Place of the protein in the batch [n]."""
    latent: Ints
    """[n]."""
    position: Ints
    """0-based, in the protein [n]."""
    value: Floats
    """[n]."""

    def runs(self) -> "Runs":
        """Return the runs of consecutive residues."""
        if not len(self.value):
            none = np.zeros(0, np.int64)
            return Runs(none, none, none, none, none, self.value)
        new = np.ones(len(self.value), bool)
        same = (np.diff(self.protein) == 0) & (np.diff(self.latent) == 0) & (np.diff(self.position) == 1)
        new[1:] = ~same
        first = np.flatnonzero(new)
        last = np.append(first[1:], len(new)) - 1
        largest = np.maximum.reduceat(self.value, first)
        run = np.cumsum(new) - 1
        at_peak = np.flatnonzero(self.value == largest[run])
        peak = at_peak[np.unique(run[at_peak], return_index=True)[1]]  # the first of equals
        place = self.position
        return Runs(self.protein[first], self.latent[first], place[first], place[last], place[peak], largest)


@dataclass(frozen=True)
class Runs:
    """Runs of consecutive residues at which a latent is active, each [n]; positions are 0-based."""

    protein: Ints
    latent: Ints
    first: Ints
    last: Ints
    peak: Ints
    """Where it is most active; the first of equals."""
    value: Floats
    """How active it is there."""


def active_codes(batch: ProteinBatch, encoding: BatchEncoding, selected: NDArray[np.bool_]) -> Active:
    """Return the positive codes of the selected latents of each protein [n_proteins, d_sae]."""
    packed = packed_codes(encoding.codes.values.numpy(), encoding.codes.columns.numpy())
    row = np.repeat(np.arange(len(batch.x)), np.diff(packed.indptr))
    protein = batch.protein[row]
    kept = selected[protein, packed.latents]
    row, protein = row[kept], protein[kept]
    latent, value = packed.latents[kept].astype(np.int64), packed.values[kept]
    order = np.lexsort((row, latent, protein))
    return Active(protein[order], latent[order], batch.residue_index[row[order]], value[order])


class Carriers:
    """Says which residues carry concepts.

    A concept with a latent of its own is carried where the gate is open, and where concepts have sites
    (`sae.sites`) at its sites: there the gate only says whether the protein has it. Another one is carried
    where its latent is active, and nowhere if the latent's silence speaks for it.

    Args:
        sae: the dictionary.
        latents: latent of each scored concept [n_concepts].
        signs: 1, or -1: silence speaks for the concept [n_concepts].
    """

    def __init__(self, sae: SparseAutoencoder, latents: Ints, signs: Floats) -> None:
        self._sae, self._latents, self._signs = sae, latents, signs

    def strength(self, encoding: BatchEncoding, rows: slice) -> Floats:
        """Return how strongly residues carry each concept [n_residues, n_concepts], 0 where they do not."""
        guided = encoding.guided
        if guided is not None and isinstance(self._sae, ProtSae):
            found = guided.excess[rows]
            if self._sae.sites is not None and guided.sites is not None:
                found = torch.where(self._sae.sites.is_used, guided.sites[rows], found)
            values: Floats = found.numpy()[:, self._latents]
            return values
        codes = encoding.codes._replace(
            values=encoding.codes.values[rows], columns=encoding.codes.columns[rows]
        )
        dense = codes.dense(self._sae.config.d_sae).numpy()[:, self._latents]
        return np.where(self._signs > 0, dense, 0)
