"""One streaming pass over residues: which amino acids a latent fires on, and the windows around its peaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.core.errors import InputError
from protsae.interpretation.config import ExampleConfig
from protsae.probing.batches import ProteinBatch, ProteinSource, protein_batches
from protsae.sae.base import SparseAutoencoder

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
_CODE = np.full(256, len(AMINO_ACIDS), dtype=np.int64)  # anything else shares one last column
_CODE[np.frombuffer(AMINO_ACIDS.encode(), dtype=np.uint8)] = np.arange(len(AMINO_ACIDS))


@dataclass(frozen=True)
class Window:
    """Where one latent peaks in one protein."""

    peak_index: int
    """0-based; the first residue of the maximum."""
    start: int
    """0-based first residue of the window."""
    sequence: str
    acts: NDArray[np.float32]
    """Activation on each residue of `sequence`."""


@dataclass(frozen=True)
class ResidueReading:
    """What the pass over residues gives."""

    counts: NDArray[np.int64]
    """[n_latents, 20]: residues of each standard amino acid on which the latent is positive."""
    background: NDArray[np.int64]
    """[20]: residues of each standard amino acid."""
    windows: dict[tuple[int, str], Window] = field(default_factory=dict)
    """(latent, protein id) to window, for the pairs asked for."""

    def enrichment(self) -> NDArray[np.float64]:
        """Return log2 of the share of each amino acid among firing residues over its share among all
        [n_latents, 20].

        One pseudo-count, spread as the background, keeps latents that fire on few residues near 0.
        """
        share = self.background / max(int(self.background.sum()), 1)
        among = (self.counts + share) / (self.counts.sum(axis=1, keepdims=True) + 1)
        return np.log2(np.where(share > 0, among, 1) / np.where(share > 0, share, 1))


@torch.inference_mode()
def read_residues(
    source: ProteinSource,
    sae: SparseAutoencoder,
    hook_point: str,
    *,
    sequences: Mapping[str, str],
    split_of: Mapping[str, str],
    wanted: Mapping[str, Sequence[int]],
    config: ExampleConfig,
) -> ResidueReading:
    """Encode the proteins of `split_of` once, count firing residues and cut out windows.

    Args:
        source: stored activations.
        sae: the dictionary.
        hook_point: where its activations are.
        sequences: protein id to sequence.
        split_of: the proteins to read, with their splits.
        wanted: protein id to the latents whose peak is to be shown.
        config: width of the windows, size of the batches.

    Raises:
        InputError: a protein's sequence is not as long as its activations.
    """
    n_kinds = len(AMINO_ACIDS) + 1
    counts = torch.zeros(sae.config.d_sae, n_kinds, dtype=torch.float64)
    background = np.zeros(n_kinds, dtype=np.int64)
    windows: dict[tuple[int, str], Window] = {}
    for batch in protein_batches(source, hook_point, split_of, config.residues_per_batch):
        acts = sae.encode(batch.x)
        kinds = _kinds(batch, sequences)
        one_hot = torch.nn.functional.one_hot(torch.from_numpy(kinds), n_kinds).float()
        counts += (
            (acts > 0).float().T @ one_hot
        ).double()  # exact: a batch holds far fewer than 2^24 residues
        background += np.bincount(kinds, minlength=n_kinds)
        for protein_id, piece in batch.pieces(acts):
            for latent in wanted.get(protein_id, ()):
                sequence = sequences[protein_id]
                windows[latent, protein_id] = _window(piece[:, latent], sequence, config.flank)
    return ResidueReading(counts[:, :-1].long().numpy(), background[:-1], windows)


def top_residues(enrichment: NDArray[Any], n: int) -> list[str]:
    """Name the most enriched amino acids of each latent, such as `C 3.21, H 1.10` (log2); empty where none
    is."""
    order = np.argsort(-enrichment, axis=1, kind="stable")[:, :n]
    return [
        ", ".join(f"{AMINO_ACIDS[a]} {enrichment[latent, a]:.2f}" for a in best if enrichment[latent, a] > 0)
        for latent, best in enumerate(order)
    ]


def _kinds(batch: ProteinBatch, sequences: Mapping[str, str]) -> NDArray[np.int64]:
    """Amino acid number of every residue of a batch."""
    for protein_id, length in zip(batch.protein_ids, batch.lengths, strict=True):
        if len(sequences[protein_id]) != length:
            raise InputError(
                f"{protein_id} has {len(sequences[protein_id])} residues but activations of {length}: "
                "windows around peaks need all of them. Extract again, with residues_per_protein null and "
                "long_sequences window or full"
            )
    joined = "".join(sequences[protein_id] for protein_id in batch.protein_ids)
    return _CODE[np.frombuffer(joined.encode("ascii"), dtype=np.uint8)]


def _window(acts: Tensor, sequence: str, flank: int) -> Window:
    values = acts.numpy()
    peak = int(values.argmax())
    start = max(0, peak - flank)
    end = min(len(sequence), peak + flank + 1)
    return Window(peak, start, sequence[start:end], values[start:end].copy())
