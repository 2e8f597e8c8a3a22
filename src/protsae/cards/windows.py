"""Residue windows of every latent at ten levels of its activity, and logos of windows aligned at peaks."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.cards.activity import N_KINDS, Activity
from protsae.cards.config import ActivityConfig
from protsae.core.letters import AMINO_ACIDS
from protsae.encoding.codes import CodeStore
from protsae.interpretation.amino_acids import PeakWindow, peak_windows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = tuple(round(i / 9, 3) for i in range(10))
"""Levels of windows: quantiles of a latent's maxima over the proteins where it is active; the last is the
top."""
_MAX_BITS = float(np.log2(len(AMINO_ACIDS)))
_MIN_BITS, _MIN_SHARE = 1.0, 0.5
"""Of a position that the consensus names."""


def window_table(
    codes: CodeStore,
    activity: Activity,
    sequences: Mapping[str, str],
    split_of: Mapping[str, str],
    config: ActivityConfig,
) -> pd.DataFrame:
    """Return the windows around peaks, sorted by latent and from the top level down.

    Returns:
        `latent`, `quantile` (of `LEVELS`), `rank` (from 1, within the level), `protein_id`, `split`,
        `max_act`, `peak_index` (0-based), `window_start`, `window_sequence`, `window_acts` (float32 list).
    """
    chosen = [row for latent in range(activity.n_latents) for row in _levels(activity, latent, config.n_top)]
    latent, level, rank, pair = (
        (np.array(column, np.int64) for column in zip(*chosen, strict=True))
        if (chosen)
        else np.empty((4, 0), np.int64)
    )
    protein = activity.protein[pair]
    found: dict[int, PeakWindow] = {}
    order = np.argsort(protein, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(protein[order])) + 1):
        if len(rows):
            name = activity.protein_ids[protein[rows[0]]]
            windows = peak_windows(codes, name, sequences[name], latent[rows].tolist(), config.flank)
            found.update(zip(rows.tolist(), windows, strict=True))
    windows = [found[row] for row in range(len(pair))]
    names = [activity.protein_ids[i] for i in protein]
    return pd.DataFrame(
        {
            "latent": latent.astype(np.int32),
            "quantile": np.array(LEVELS)[level],
            "rank": rank.astype(np.int32),
            "protein_id": names,
            "split": [split_of[name] for name in names],
            "max_act": activity.max_act[pair],
            "peak_index": np.array([window.peak_index for window in windows], np.int32),
            "window_start": np.array([window.start for window in windows], np.int32),
            "window_sequence": [window.sequence for window in windows],
            "window_acts": [window.acts for window in windows],
        }
    )


def _levels(activity: Activity, latent: int, n_top: int) -> list[tuple[int, int, int, int]]:
    """Return (latent, level, rank, pair) of the proteins at each level, each protein once; levels that have
    no protein of their own are left out."""
    pairs = activity.pairs_of(latent)
    order = pairs.start + np.argsort(-activity.max_act[pairs], kind="stable")
    last = len(LEVELS) - 1
    rows = [(latent, last, rank, pair) for rank, pair in enumerate(order[:n_top].tolist(), start=1)]
    used = len(rows)
    for level in range(last - 1, -1, -1):
        place = max(used, round((len(order) - 1) * (last - level) / last))
        if place >= len(order):
            break
        if place > round((len(order) - 1) * (last - level + 0.5) / last):
            continue
        rows.append((latent, level, 1, int(order[place])))
        used = place + 1
    return rows


def logo_counts(activity: Activity, clusters: Mapping[str, str], config: ActivityConfig) -> Ints:
    """Count amino acids around the peaks of each latent, one window per homology cluster
    [n_latents, 2 * logo_flank + 1, 20].

    The cluster's window is that of the protein with its highest maximum; clusters with the highest maxima
    come first. Positions outside the protein, and other letters, do not count.

    Args:
        activity: of the latents.
        clusters: protein id to homology cluster.
        config: widths and numbers.
    """
    cluster = pd.factorize(np.array([clusters[name] for name in activity.protein_ids], object))[0]
    offsets = np.arange(-config.logo_flank, config.logo_flank + 1)
    counts = np.zeros((activity.n_latents, len(offsets), N_KINDS), np.int64)
    for latent in range(activity.n_latents):
        pairs = activity.pairs_of(latent)
        order = pairs.start + np.argsort(-activity.max_act[pairs], kind="stable")
        _, first = np.unique(cluster[activity.protein[order]], return_index=True)
        best = order[np.sort(first)[: config.logo_windows]]
        protein = activity.protein[best]
        place = activity.peak[best, None] + offsets
        inside = (place >= 0) & (place < activity.lengths[protein, None])
        kinds = activity.kinds[(activity.first_row[protein, None] + place)[inside]]
        np.add.at(counts[latent], (np.nonzero(inside)[1], kinds), 1)
    return counts[..., :-1]


def logo_bits(counts: Ints) -> Floats:
    """Return the height in bits of each amino acid at each position [..., 20].

    A position of n letters has R = log2(20) - (H + 19 / (2 ln 2 n)) bits, not below 0, shared in proportion
    to frequencies (Schneider and Stephens 1990): the second term corrects for the entropy H of few letters
    being too small.
    """
    n = counts.sum(axis=-1, keepdims=True)
    share = counts / np.maximum(n, 1)
    entropy = -(share * np.log2(np.where(share > 0, share, 1))).sum(axis=-1, keepdims=True)
    correction = (len(AMINO_ACIDS) - 1) / (2 * np.log(2) * np.maximum(n, 1))
    bits = np.where(n > 0, np.clip(_MAX_BITS - entropy - correction, 0, None), 0.0)
    found: Floats = share * bits
    return found


def consensus(counts: Ints) -> str:
    """Return the letter of each position [n_positions, 20] that has half the sequences and one bit or more
    at that position; x elsewhere, without x at the ends."""
    bits = logo_bits(counts).sum(axis=1)
    n = np.maximum(counts.sum(axis=1), 1)
    best = counts.argmax(axis=1)
    share = counts.max(axis=1) / n
    letters = [
        AMINO_ACIDS[a] if s >= _MIN_SHARE and b >= _MIN_BITS else "x"
        for a, s, b in zip(best, share, bits, strict=True)
    ]
    return "".join(letters).strip("x")


def logo_table(activity: Activity, clusters: Mapping[str, str], config: ActivityConfig) -> pd.DataFrame:
    """Return `n_logo` (windows), `logo` (list of 20 heights in bits per position; none with few windows) and
    `consensus` of each latent."""
    counts = logo_counts(activity, clusters, config)
    n = counts[:, config.logo_flank].sum(axis=1)
    kept = n >= config.min_logo_windows
    bits = logo_bits(counts).astype(np.float32)
    return pd.DataFrame(
        {
            "n_logo": n,
            "logo": [list(logo) if keep else None for logo, keep in zip(bits, kept, strict=True)],
            "consensus": [consensus(own) if keep else "" for own, keep in zip(counts, kept, strict=True)],
        }
    )
