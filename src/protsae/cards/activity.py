"""What every latent does on the residues of some proteins, counted in one pass over their codes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.letters import AMINO_ACIDS, character_codes, code_table
from protsae.encoding.codes import CodeStore

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_KINDS = len(AMINO_ACIDS) + 1
"""Amino acids, and one for all other letters."""
N_BINS = 10
"""Parts of a protein in position profiles."""
LONGEST_RUN = 300
LONGEST_GAP = 50
QUANTILES = (*(round(0.1 * i, 1) for i in range(1, 10)), 0.99)
"""Of the activations that are not zero."""
_HELD = 50_000_000
"""Codes that are held at once for quantiles: 200 MB."""
_KIND = code_table(AMINO_ACIDS, len(AMINO_ACIDS))


@dataclass(frozen=True)
class Activity:
    """Counts by latent, and where each latent is active, protein by protein."""

    protein_ids: list[str]
    """In the order of the code store [n_proteins]."""
    first_row: Ints
    """Where each protein's residues begin [n_proteins + 1]."""
    kinds: NDArray[np.uint8]
    """Amino acid of each residue, as an index into `AMINO_ACIDS` [n_rows]."""
    runs: Ints
    """Runs by length, longer ones as the longest [n_latents, LONGEST_RUN + 1]."""
    gaps: Ints
    """Distances between starts of runs, longer ones as the longest [n_latents, LONGEST_GAP + 1]."""
    bins: Ints
    """Active residues by tenth of the protein [n_latents, N_BINS]."""
    letters: Ints
    """Active residues by amino acid [n_latents, N_KINDS]."""
    letter_sums: Floats
    """Sums of activations by amino acid [n_latents, N_KINDS]."""
    sums: Floats
    """Sums of squared activations, and of relative positions from -1 to 1 [n_latents, 2]."""
    starts: Ints
    """Where the pairs of each latent begin [n_latents + 1]."""
    protein: Ints
    """Protein of each pair; ascending within a latent [n_pairs]."""
    peak: Ints
    """0-based position of the first maximum [n_pairs]."""
    n_active: Ints
    """Active residues [n_pairs]."""
    max_act: NDArray[np.float32]
    """The maximum [n_pairs]."""

    @classmethod
    def of(cls, codes: CodeStore, sequences: dict[str, str]) -> "Activity":
        """Count the residues of the proteins of `sequences`.

        Raises:
            InputError: a protein is not stored whole.
        """
        from protsae.cards.kernels import add_proteins, count_active

        codes.require_whole({name: len(sequence) for name, sequence in sequences.items()})
        n = codes.n_latents
        widths = {"runs": LONGEST_RUN + 1, "gaps": LONGEST_GAP + 1, "bins": N_BINS, "letters": N_KINDS}
        totals: dict[str, Any] = {name: np.zeros((n, width), np.int64) for name, width in widths.items()}
        totals |= {"letter_sums": np.zeros((n, N_KINDS)), "sums": np.zeros((n, 2))}
        protein_ids: list[str] = []
        pairs, peaks, kinds = [np.empty((4, 0), np.int64)], [np.empty(0, np.float32)], [np.empty(0, np.int64)]
        for names, part in codes.read(list(sequences)):
            first_row = np.cumsum([0, *(len(sequences[name]) for name in names)])
            own = _KIND[character_codes("".join(sequences[name] for name in names))]
            found = np.empty((4, count_active(part.indptr, part.latents, first_row, n)), np.int64)
            highest = np.empty(found.shape[1], np.float32)
            codes_of = (part.indptr, part.latents, part.values)
            add_proteins(*codes_of, first_row, own, **totals, pairs=found, peaks=highest)
            found[1] += len(protein_ids)
            protein_ids += names
            pairs.append(found)
            peaks.append(highest)
            kinds.append(own)
        latent, protein, peak, n_active = np.concatenate(pairs, axis=1)
        order = np.argsort(latent, kind="stable")
        return cls(
            protein_ids,
            np.cumsum([0, *(len(sequences[name]) for name in protein_ids)]),
            np.concatenate(kinds).astype(np.uint8),
            **totals,
            starts=np.searchsorted(latent[order], np.arange(n + 1)),
            protein=protein[order],
            peak=peak[order],
            n_active=n_active[order],
            max_act=np.concatenate(peaks)[order],
        )

    @property
    def n_latents(self) -> int:
        """Width of the dictionary."""
        return len(self.bins)

    @property
    def lengths(self) -> Ints:
        """Residues of each protein [n_proteins]."""
        return np.diff(self.first_row)

    @property
    def background(self) -> Ints:
        """Residues by amino acid [N_KINDS]."""
        return np.bincount(self.kinds, minlength=N_KINDS)

    @property
    def n_residues(self) -> Ints:
        """Active residues of each latent [n_latents]."""
        return np.asarray(self.bins.sum(axis=1))

    def pairs_of(self, latent: int) -> slice:
        """Return the pairs of a latent."""
        return slice(int(self.starts[latent]), int(self.starts[latent + 1]))


def quantiles(codes: CodeStore, activity: Activity, held: int = _HELD) -> Floats:
    """Return `QUANTILES` of each latent's activations that are not zero [n_latents, n_quantiles]; NaN: none.

    Exact; the codes are read once for every `held` of them.
    """
    from protsae.cards.kernels import gather

    found = np.full((activity.n_latents, len(QUANTILES)), np.nan)
    for latents in _blocks(activity.n_residues, held):
        counts = activity.n_residues[latents]
        ends = np.cumsum(counts)
        place, values = ends - counts, np.empty(ends[-1], np.float32)
        for _, part in codes.read(activity.protein_ids):
            gather(part.latents, part.values, latents.start, place, values)
        for latent, count, end in zip(range(latents.start, latents.stop), counts, ends, strict=True):
            if count:
                found[latent] = np.quantile(values[end - count : end], QUANTILES)
    return found


def _blocks(counts: Ints, held: int) -> Iterator[slice]:
    """Yield neighbouring latents with `held` codes together, and those of one more latent at most."""
    block = np.maximum(np.cumsum(counts) - 1, 0) // held
    bounds = np.flatnonzero(np.diff(block)) + 1
    for first, last in zip([0, *bounds.tolist()], [*bounds.tolist(), len(counts)], strict=True):
        yield slice(first, last)


def quantile_names() -> list[str]:
    """Return the columns of `quantiles`: act_q10 and so on."""
    return [f"act_q{round(100 * q)}" for q in QUANTILES]


def chosen_sequences(proteins: pd.DataFrame, codes: CodeStore, splits: Sequence[str]) -> dict[str, str]:
    """Return protein id to sequence of the stored proteins of some splits."""
    wanted = {name for split in splits for name in codes.of_split(split)}
    rows = proteins[proteins["protein_id"].isin(wanted)]
    return dict(zip(rows["protein_id"].astype(str), rows["sequence"].astype(str), strict=True))


def residue_eta(activity: Activity) -> Floats:
    """Return the share of each latent's variance over residues that the amino acid explains (eta squared)
    [n_latents]; NaN for a latent that is never active."""
    sizes = np.maximum(activity.background, 1)
    total, squares, n = activity.letter_sums.sum(axis=1), activity.sums[:, 0], len(activity.kinds)
    between = (activity.letter_sums**2 / sizes).sum(axis=1) - total**2 / max(n, 1)
    variance = squares - total**2 / max(n, 1)
    found: Floats = np.divide(between, variance, out=np.full_like(total, np.nan), where=variance > 0)
    return found
