"""What latents do on single residues: which amino acids they fire on, and the windows around their peaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.letters import AMINO_ACIDS, character_codes, code_table
from protsae.encoding.codes import CodeStore

_N_KINDS = len(AMINO_ACIDS) + 1
_CODE = code_table(AMINO_ACIDS, len(AMINO_ACIDS))  # anything else shares one last column


@dataclass(frozen=True)
class PeakWindow:
    """Where one latent peaks in one protein."""

    peak_index: int
    """0-based; the first residue of the maximum."""
    start: int
    """0-based first residue of the window."""
    sequence: str
    acts: NDArray[np.float32]
    """Activation on each residue of `sequence`."""


@dataclass(frozen=True)
class AminoAcidCounts:
    """Residues of each standard amino acid."""

    counts: NDArray[np.int64]
    """[n_latents, 20]: those on which the latent is positive."""
    background: NDArray[np.int64]
    """[20]: all."""

    @classmethod
    def of(cls, codes: CodeStore, sequences: Mapping[str, str]) -> "AminoAcidCounts":
        """Count the residues of the proteins of `sequences`.

        Raises:
            InputError: a protein is not stored whole.
        """
        codes.require_whole({name: len(sequence) for name, sequence in sequences.items()})
        counts = np.zeros(codes.n_latents * _N_KINDS, dtype=np.int64)
        background = np.zeros(_N_KINDS, dtype=np.int64)
        for names, part in codes.read(list(sequences)):
            joined = "".join(sequences[name] for name in names)
            kinds = _CODE[character_codes(joined)]
            background += np.bincount(kinds, minlength=_N_KINDS)
            at = part.latents.astype(np.int64) * _N_KINDS + np.repeat(kinds, np.diff(part.indptr))
            counts += np.bincount(at, minlength=len(counts))
        return cls(counts.reshape(-1, _N_KINDS)[:, :-1], background[:-1])

    def enrichment(self) -> NDArray[np.float64]:
        """Return log2 of the share of each amino acid among firing residues over its share among all
        [n_latents, 20].

        One pseudo-count, spread as the background, keeps latents that fire on few residues near 0.
        """
        share = self.background / max(int(self.background.sum()), 1)
        among = (self.counts + share) / (self.counts.sum(axis=1, keepdims=True) + 1)
        return np.log2(np.where(share > 0, among, 1) / np.where(share > 0, share, 1))


def top_residues(enrichment: NDArray[Any], n: int) -> list[str]:
    """Name the most enriched amino acids of each latent, such as `C 3.21, H 1.10` (log2); empty where none
    is."""
    order = np.argsort(-enrichment, axis=1, kind="stable")[:, :n]
    return [
        ", ".join(f"{AMINO_ACIDS[a]} {enrichment[latent, a]:.2f}" for a in best if enrichment[latent, a] > 0)
        for latent, best in enumerate(order)
    ]


def peak_windows(
    codes: CodeStore, protein_id: str, sequence: str, latents: Sequence[int], flank: int
) -> list[PeakWindow]:
    """Return the window around the peak of each of some latents in one protein, which is stored whole."""
    found = codes.codes(protein_id)
    row = np.repeat(np.arange(len(found)), np.diff(found.indptr))
    windows = []
    for latent in latents:
        here = found.latents == latent
        acts = np.zeros(len(sequence), np.float32)
        acts[row[here]] = found.values[here]
        peak = int(acts.argmax())
        start, end = max(0, peak - flank), min(len(sequence), peak + flank + 1)
        windows.append(PeakWindow(peak, start, sequence[start:end], acts[start:end].copy()))
    return windows
