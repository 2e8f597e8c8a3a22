"""Corrections for many tests."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Return the smallest false-discovery rate at which each hypothesis is rejected (Benjamini and Hochberg
    1995); NaN where there is no p-value."""
    from scipy.stats import false_discovery_control

    found = np.full(len(p_values), np.nan)
    known = ~np.isnan(p_values)
    if known.any():
        found[known] = false_discovery_control(p_values[known])
    return found
