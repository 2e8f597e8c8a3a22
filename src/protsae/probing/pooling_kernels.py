"""Sums over proteins and latents from sparse codes, compiled by numba. Import it inside functions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled


@compiled
def pool(
    values: Any,
    columns: NDArray[np.int64],
    begins: NDArray[np.int64],
    mean: NDArray[np.float32],
    maximum: NDArray[np.float32],
    totals: NDArray[np.float64],
    n_fired: NDArray[np.int64],
) -> None:
    """Fill mean and largest code of each protein, and add to sums over all residues.

    Args:
        values: codes, not negative, [n_residues, k].
        columns: their latents [n_residues, k].
        begins: where the residues of each protein begin, and where the last end [n_proteins + 1].
        mean: zeroed output [n_proteins, d_sae].
        maximum: zeroed output [n_proteins, d_sae].
        totals: added to [d_sae, 3]: sum, sum of squares, and not added but compared: the largest code.
        n_fired: added to [d_sae]: residues on which the latent is active.
    """
    sums = np.zeros(mean.shape[1])
    for protein in range(len(begins) - 1):
        first, last = begins[protein], begins[protein + 1]
        sums[:] = 0
        for i in range(first, last):
            for j in range(values.shape[1]):
                value = values[i, j]
                if not value > 0:
                    continue
                latent = columns[i, j]
                sums[latent] += value
                maximum[protein, latent] = max(maximum[protein, latent], value)
                totals[latent, 0] += value
                totals[latent, 1] += value * value
                totals[latent, 2] = max(totals[latent, 2], value)
                n_fired[latent] += 1
        if last > first:
            mean[protein] = (sums / (last - first)).astype(np.float32)
