"""How often latents are active, as a histogram over decades."""

import numpy as np
import pandas as pd

STEP = 0.25
"""Width of a bin, in decades."""
HISTOGRAM_COLUMNS = ("method", "kind", "log10_low", "log10_high", "n_latents", "share")


def density_histogram(statistics: pd.DataFrame, method: str) -> pd.DataFrame:
    """Count latents by the decimal logarithm of their density.

    Args:
        statistics: `kind`, `density_test`: share of test residues on which each latent is positive.
        method: goes into its column.

    Returns:
        `HISTOGRAM_COLUMNS`, bins half-open from below, the last one closed: from the bin of the least active
        latent to density 1. Dead latents are a row of their own whose bounds are empty. `share` is among the
        latents of the kind.
    """
    parts = []
    for kind, density in statistics.groupby("kind")["density_test"]:
        alive = density[density > 0].to_numpy()
        steps = np.minimum(np.floor(np.log10(alive) / STEP).astype(int), -1)
        first = int(steps.min(initial=-1))
        counts = np.bincount(steps - first, minlength=-first)
        low = np.arange(first, 0) * STEP
        n_latents = [len(density) - len(alive), *counts.tolist()]
        parts.append(
            pd.DataFrame(
                {
                    "method": method,
                    "kind": kind,
                    "log10_low": [np.nan, *low],
                    "log10_high": [np.nan, *(low + STEP)],
                    "n_latents": n_latents,
                    "share": np.array(n_latents) / len(density),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)[list(HISTOGRAM_COLUMNS)]
