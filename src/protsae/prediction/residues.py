"""Where in proteins latents are active, and which residues carry a concept."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from protsae.encoding.batches import ProteinBatch
from protsae.encoding.reading import BatchEncoding, packed_codes
from protsae.prediction.stretches import largest_of_groups
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
        breaks = np.diff(self.protein, prepend=-1) != 0
        breaks |= np.diff(self.latent, prepend=-1) != 0
        breaks |= np.diff(self.position, prepend=-1) != 1
        first = np.flatnonzero(breaks)
        last = np.append(first[1:], len(breaks))[: len(first)] - 1
        largest, peak = largest_of_groups(self.value, first)
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
    kept = selected[batch.protein[row], packed.latents]
    return _active_of(batch, row[kept], packed.latents[kept], packed.values[kept], selected.shape[1])


def _active_of(batch: ProteinBatch, row: Ints, latent: NDArray[Any], value: Floats, n_latents: int) -> Active:
    """Return entries, given by ascending residue of the batch, in the order of `Active`."""
    protein = batch.protein[row]
    pair = protein * n_latents + latent
    narrow = np.min_scalar_type(len(batch.protein_ids) * n_latents)  # 16 bits are sorted fastest
    order = np.argsort(pair.astype(narrow), kind="stable")
    position = batch.residue_index[row[order]]
    return Active(protein[order], latent[order].astype(np.int64), position, value[order])


def carried(
    batch: ProteinBatch,
    encoding: BatchEncoding,
    reached: NDArray[np.bool_],
    sae: SparseAutoencoder,
    latents: Ints,
    signs: Floats,
) -> Active:
    """Return which residues carry concepts, and how strongly; `latent` is the concept's place.

    A concept with a latent of its own is carried where the gate is open, and where concepts have sites
    (`sae.sites`) at its sites: there the gate only says whether the protein has it. Another one is carried
    where its latent is active, and nowhere if the latent's silence speaks for it.

    Args:
        batch: the proteins.
        encoding: what the dictionary makes of them.
        reached: which concepts are asked for of each protein [n_proteins, n_concepts].
        sae: the dictionary.
        latents: latent of each concept [n_concepts].
        signs: 1, or -1: silence speaks for the concept [n_concepts].
    """
    guided = encoding.guided
    if guided is not None and isinstance(sae, ProtSae):
        found = guided.excess
        if sae.sites is not None and guided.sites is not None:
            found = torch.where(sae.sites.is_used, guided.sites, found)
        strength: Floats = found.numpy()[:, latents]
    else:
        strength = np.where(signs > 0, _dense(encoding, latents, sae.config.d_sae), 0)
    row, concept = np.nonzero((strength > 0) & reached[batch.protein])
    return _active_of(batch, row, concept, strength[row, concept], reached.shape[1])


def _dense(encoding: BatchEncoding, latents: Ints, d_sae: int) -> Floats:
    """Return the codes of some latents [n_residues, n_latents]; one latent may be there twice."""
    own, column_of = np.unique(latents, return_inverse=True)
    place = np.full(d_sae, -1)
    place[own] = np.arange(len(own))
    values, columns = encoding.codes.values.numpy(), place[encoding.codes.columns.numpy()]
    row, entry = np.nonzero((values > 0) & (columns >= 0))
    found = np.zeros((len(values), len(own)), values.dtype)
    found[row, columns[row, entry]] = values[row, entry]
    return found[:, column_of]
