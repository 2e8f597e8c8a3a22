"""Directions of latents: neighbours, antipodal twins, and a map of all of them."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.cards.config import DirectionsConfig
from protsae.core.seeding import derive_seed

Floats = NDArray[np.floating[Any]]

_BLOCK = 1024
_STEPS = 500
"""Of t-SNE; half of the usual number, for time."""
_DIMENSIONS = 50
"""Principal components that the map is made of."""


def direction_table(decoder: Floats, encoder: Floats, config: DirectionsConfig) -> pd.DataFrame:
    """Return one row per latent about its directions.

    Args:
        decoder: [n_latents, d_model].
        encoder: [n_latents, d_model].
        config: settings.

    Returns:
        `latent`, `neighbours` and `neighbour_cosines` (decoder, nearest first), `antipode` and
        `antipode_cosine` (the most opposite decoder direction), `antipode_score` and `duplicate_score`
        (Dense SAE Latents: the largest product of encoder and decoder cosine, both negative or both
        positive; 0 to 1), `x`, `y`.
    """
    unit, reading = _unit(decoder), _unit(encoder)
    n = min(config.n_neighbours, len(unit) - 1)
    parts = [_compared(unit, reading, first, n) for first in range(0, len(unit), _BLOCK)]
    x, y = placed(unit, config).T
    found = pd.concat(parts, ignore_index=True)
    return found.assign(x=x.astype(np.float32), y=y.astype(np.float32))


def _unit(vectors: Floats) -> NDArray[np.float64]:
    """Return rows of unit length, those of length 0 as they are."""
    found = np.asarray(vectors, np.float64)
    unit: NDArray[np.float64] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return unit


def _compared(unit: Floats, reading: Floats, first: int, n: int) -> pd.DataFrame:
    """Compare a block of latents with all."""
    rows = np.arange(first, min(first + _BLOCK, len(unit)))
    cosine, read = unit[rows] @ unit.T, reading[rows] @ reading.T
    itself = (np.arange(len(rows)), rows)
    opposite = np.clip(-cosine, 0, None) * np.clip(-read, 0, None)
    same = np.clip(cosine, 0, None) * np.clip(read, 0, None)
    same[itself] = 0
    antipode = cosine.argmin(axis=1)
    cosine[itself] = -np.inf
    nearest = np.argsort(-cosine, axis=1, kind="stable")[:, :n]
    cosine[itself] = 1
    return pd.DataFrame(
        {
            "latent": rows.astype(np.int32),
            "neighbours": list(nearest.astype(np.int32)),
            "neighbour_cosines": list(np.take_along_axis(cosine, nearest, axis=1).astype(np.float32)),
            "antipode": antipode.astype(np.int32),
            "antipode_cosine": cosine.min(axis=1),
            "antipode_score": opposite.max(axis=1),
            "duplicate_score": same.max(axis=1),
        }
    )


def placed(unit: Floats, config: DirectionsConfig) -> Floats:
    """Return a place in the plane for each direction [n_latents, 2], the same for the same seed.

    Principal components, then t-SNE of at most `max_placed` directions. Each of the others goes to the mean
    place of its three nearest placed ones, weighted by cosine.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    n = len(unit)
    if n < 4:  # no plane is needed
        return np.column_stack([np.arange(n), np.zeros(n)])
    seed = derive_seed(config.seed, "cards", "map") % 2**32
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.permutation(n)[: config.max_placed])
    size = min(_DIMENSIONS, unit.shape[1], len(chosen))
    reduced = PCA(size, svd_solver="full").fit_transform(unit[chosen])
    perplexity = min(config.perplexity, (len(chosen) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", max_iter=_STEPS, random_state=seed, n_jobs=1)
    places = np.empty((n, 2))
    places[chosen] = tsne.fit_transform(reduced)
    others = np.setdiff1d(np.arange(n), chosen)
    for rows in np.array_split(others, max(1, len(others) // _BLOCK)):
        cosine = unit[rows] @ unit[chosen].T
        nearest = np.argpartition(-cosine, 2, axis=1)[:, :3]
        weight = np.clip(np.take_along_axis(cosine, nearest, axis=1), 1e-6, None)
        mean = (places[chosen][nearest] * weight[..., None]).sum(axis=1)
        places[rows] = mean / weight.sum(axis=1, keepdims=True)
    return places
