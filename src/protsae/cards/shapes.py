"""The shape of activity along the sequence: InterProt's classes (Adams, Bai et al. 2025)."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.cards.activity import LONGEST_RUN, Activity

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHAPES = ("dead", "few", "periodic", "point", "short", "medium", "long", "whole")
_SHORT, _MEDIUM = 20, 50
"""Median runs from which a latent is medium, and long."""
_PERIODIC_RUN, _PERIODIC_RUNS = 10, 10
"""A periodic latent has a shorter median run, and more runs."""


def shape_table(activity: Activity, min_proteins: int) -> pd.DataFrame:
    """Return the shape of each latent, and what it follows from [n_latents rows].

    Args:
        activity: of the latents.
        min_proteins: a latent that is active in fewer is `few`.

    Returns:
        `shape`; `n_proteins` (active in), `n_runs`, `median_run` (residues), `coverage` (mean share of the
        residues of these proteins), `period` (the most frequent distance between starts of runs; 0: none),
        `periodicity` (share of the two most frequent distances) and `periodicity_by_chance`,
        `position_profile` (share of the active residues in each tenth of the protein), `position_skew`.
    """
    n_proteins = np.diff(activity.starts)
    n_runs = activity.runs.sum(axis=1)
    coverage = _mean_coverage(activity)
    median = _median_of_counts(activity.runs)
    n_gaps = activity.gaps.sum(axis=1)
    by_frequency = np.argsort(-activity.gaps[:, :-1], axis=1, kind="stable")  # the last one is "or longer"
    two = np.take_along_axis(activity.gaps, by_frequency[:, :2], axis=1).sum(axis=1)
    periodicity = np.where(n_gaps > 0, two / np.maximum(n_gaps, 1), np.nan)
    chance = np.array([two_gaps_by_chance(share) for share in np.nan_to_num(coverage)])
    periodic = (periodicity > 0.5) & (periodicity > chance)
    periodic &= (n_runs > _PERIODIC_RUNS) & (median < _PERIODIC_RUN)
    singles = activity.runs[:, 1] / np.maximum(n_runs, 1)
    conditions = [n_proteins == 0, n_proteins < min_proteins, periodic, singles > 0.75]
    conditions += [median < _SHORT, median < _MEDIUM, coverage <= 0.8]
    n_active = np.maximum(activity.n_residues, 1)[:, None]
    profile = activity.bins / n_active
    return pd.DataFrame(
        {
            "shape": np.select(conditions, SHAPES[:-1], SHAPES[-1]),
            "n_proteins": n_proteins,
            "n_runs": n_runs,
            "median_run": median,
            "coverage": coverage,
            "period": np.where(n_gaps > 0, by_frequency[:, 0], 0),
            "periodicity": periodicity,
            "periodicity_by_chance": np.where(n_gaps > 0, chance, np.nan),
            "position_profile": list(profile.astype(np.float32)),
            "position_skew": np.where(n_proteins > 0, activity.sums[:, 1] / n_active[:, 0], np.nan),
        }
    )


def two_gaps_by_chance(share: float, longest: int = LONGEST_RUN) -> float:
    """Return the share of the two most frequent distances between starts of runs if residues are active
    independently, each with probability `share`.

    A distance g is a run of l residues and g - l silent ones: the sum over l of
    p^(l-1) (1 - p) (1 - p)^(g-l-1) p.
    """
    if not 0 < share < 1:
        return 1.0
    lengths = np.arange(longest)
    run, silent = share**lengths * (1 - share), (1 - share) ** lengths * share
    return float(np.sort(np.convolve(run, silent))[-2:].sum())


def _mean_coverage(activity: Activity) -> Floats:
    """Return the mean share of active residues over the proteins where each latent is active; NaN: none."""
    latent = np.repeat(np.arange(activity.n_latents), np.diff(activity.starts))
    share = activity.n_active / activity.lengths[activity.protein]
    total = np.bincount(latent, share, minlength=activity.n_latents)
    counts = np.diff(activity.starts)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def _median_of_counts(counts: Ints) -> Floats:
    """Return the lower median of each row's histogram, the index being the value; NaN for an empty row."""
    total = counts.sum(axis=1)
    below = np.cumsum(counts, axis=1)
    median = (below < (total[:, None] + 1) // 2).sum(axis=1)
    return np.where(total > 0, median, np.nan)
