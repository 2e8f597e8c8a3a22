"""The inner loop of MonoSemanticity, compiled by numba. Import this module inside functions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import vectorised

Ints = NDArray[np.int64]


@vectorised
def inner_product_sums(
    indptr: Ints,
    rows: Ints,
    values: NDArray[np.float64],
    group: Ints,
    vectors: NDArray[Any],
    similarity: NDArray[np.float64],
) -> None:
    """Add up v_g . (V - v_g) by latent and group: v_g is the sum of a_i e_i over the group, V over all items.

    Args:
        indptr: where the active items of each latent begin [n_latents + 1].
        rows: these items, ascending within a latent.
        values: their activations a_i.
        group: group of each item, ascending.
        vectors: vector e_i of each item [n_items, d].
        similarity: output, zeros [n_groups, n_latents].
    """
    width = vectors.shape[1]
    of_group = np.zeros((similarity.shape[0], width))
    total = np.zeros(width)
    for latent in range(len(indptr) - 1):
        total[:] = 0.0
        for i in range(indptr[latent], indptr[latent + 1]):
            here = of_group[group[rows[i]]]
            if i == indptr[latent] or group[rows[i]] != group[rows[i - 1]]:
                here[:] = 0.0
            vector = vectors[rows[i]]
            for j in range(width):
                here[j] += values[i] * vector[j]
                total[j] += values[i] * vector[j]
        for i in range(indptr[latent], indptr[latent + 1]):
            if i == indptr[latent] or group[rows[i]] != group[rows[i - 1]]:
                here = of_group[group[rows[i]]]
                found = 0.0
                for j in range(width):
                    found += here[j] * (total[j] - here[j])
                similarity[group[rows[i]], latent] = found
