"""The inner loop of matching, compiled by numba. Import it inside functions."""

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled


@compiled
def count_levels(
    levels: NDArray[np.uint8],
    indptr: NDArray[np.int64],
    columns: NDArray[np.int64],
    counts: NDArray[np.int32],
) -> None:
    """Count the proteins of each column by the level of each latent.

    Args:
        levels: how many thresholds each latent exceeds [n_proteins, n_latents].
        indptr: where the columns of each protein begin [n_proteins + 1].
        columns: the columns that each protein is in.
        counts: added to [n_columns, n_latents, n_levels].
    """
    for protein in range(len(levels)):
        for i in range(indptr[protein], indptr[protein + 1]):
            for latent in range(levels.shape[1]):
                counts[columns[i], latent, levels[protein, latent]] += 1
