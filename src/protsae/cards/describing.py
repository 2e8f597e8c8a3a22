"""Activity of all latents of a dictionary, as one table and its windows."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.cards.activity import (
    Activity,
    chosen_sequences,
    quantile_names,
    quantiles,
    residue_eta,
)
from protsae.cards.config import ActivityConfig
from protsae.cards.families import family_table
from protsae.cards.shapes import shape_table
from protsae.cards.windows import logo_table, window_table
from protsae.core.seeding import lowest_hashes
from protsae.encoding.codes import CodeStore

Floats = NDArray[np.float64]


def describe(
    codes: CodeStore, statistics: pd.DataFrame, proteins: pd.DataFrame, config: ActivityConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Describe where each latent is active.

    Args:
        codes: of the dictionary.
        statistics: `latent`, `density_test`, sorted by latent.
        proteins: `protein_id`, `sequence`, `split`, `cluster_id`.
        config: settings.

    Returns:
        One row per latent: `latent`, `act_q10` and so on, what `shape_table`, `logo_table` and `family_table`
        return, `input_profile` (share of the latent's activation on each of the twenty amino acids),
        `residue_eta`, `position_correlation` (dense latents only); and the windows.

    Raises:
        InputError: a protein of the splits is not stored whole.
    """
    sequences = chosen_sequences(proteins, codes, config.splits)
    activity = Activity.of(codes, sequences)
    split_of = dict(zip(proteins["protein_id"], proteins["split"], strict=True))
    clusters = dict(zip(proteins["protein_id"], proteins["cluster_id"].astype(str), strict=True))
    dense = np.flatnonzero(statistics["density_test"].to_numpy() > config.dense_above)
    total = activity.letter_sums.sum(axis=1, keepdims=True)
    profile = activity.letter_sums[:, :-1] / np.where(total > 0, total, 1)
    table = pd.concat(
        [
            pd.DataFrame({"latent": np.arange(activity.n_latents, dtype=np.int32)}),
            pd.DataFrame(quantiles(codes, activity), columns=quantile_names()),
            shape_table(activity, config.min_proteins),
            logo_table(activity, clusters, config),
            family_table(codes, activity, config.family_cut, config.max_in_tree),
        ],
        axis=1,
    )
    table["input_profile"] = list(profile.astype(np.float32))
    table["residue_eta"] = residue_eta(activity)
    table["position_correlation"] = np.nan
    table.loc[dense, "position_correlation"] = position_correlation(codes, sequences, dense, config)
    return table, window_table(codes, activity, sequences, split_of, config)


def position_correlation(
    codes: CodeStore, sequences: dict[str, str], latents: NDArray[np.int64], config: ActivityConfig
) -> Floats:
    """Return Spearman's correlation of some latents with the position, the relative position or the distance
    from the C-terminal end, whichever is furthest from 0 [n]; NaN for a latent that never varies.

    Measured on whole proteins, drawn at random until there are `sampled_residues`.
    """
    from scipy.stats import rankdata

    if not len(latents):
        return np.empty(0)
    names = _sampled(sequences, config)
    column = np.full(codes.n_latents, -1)
    column[latents] = np.arange(len(latents))
    n_rows = sum(len(sequences[name]) for name in names)
    acts = np.zeros((n_rows, len(latents)), np.float32)
    places, begin = [], 0
    for ids, part in codes.read(names):
        row = begin + np.repeat(np.arange(len(part)), np.diff(part.indptr))
        wanted = column[part.latents]
        acts[row[wanted >= 0], wanted[wanted >= 0]] = part.values[wanted >= 0]
        begin += len(part)
        for name in ids:
            length = len(sequences[name])
            index = np.arange(length)
            places.append(np.stack([index, index / length, length - 1 - index]))
    ranks, positions = rankdata(acts, axis=0), rankdata(np.concatenate(places, axis=1), axis=1)
    found = _correlation(positions, ranks)
    best = np.abs(np.nan_to_num(found)).argmax(axis=0)
    signed: Floats = found[best, np.arange(len(latents))]
    return signed


def _sampled(sequences: dict[str, str], config: ActivityConfig) -> list[str]:
    """Return proteins in random order until they have the residues wanted."""
    mean = max(1, sum(map(len, sequences.values())) // max(1, len(sequences)))
    n = max(1, config.sampled_residues // mean)
    return sorted(lowest_hashes(sequences, n, f"cards {config.seed}"))


def _correlation(one: Floats, other: Floats) -> Floats:
    """Return the correlation of rows [a, n] with columns [n, b]; NaN where one never varies."""
    one, other = one - one.mean(axis=1, keepdims=True), other - other.mean(axis=0)
    scale = np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=0))
    found: Floats = np.divide(one @ other, scale, out=np.full(scale.shape, np.nan), where=scale > 0)
    return found
