"""Latents that nothing was trained for, pooled over residues: neurons and random directions."""

from typing import Any

import pandas as pd
import torch

from protsae.encoding.batches import ProteinSource
from protsae.probing.baselines import unit_directions
from protsae.probing.config import ScoringConfig
from protsae.probing.scores import UNTRAINED
from protsae.sae.pooling import SEGMENT_POOLINGS


def pool_untrained(
    source: ProteinSource, hook_point: str, protein_ids: list[str], config: ScoringConfig
) -> pd.DataFrame:
    """Pool neurons and projections on random directions otherwise than by the mean, which follows from the
    mean activations. Both signs of each are latents: the highest value of -x is not that of x reversed.

    Args:
        source: stored activations.
        hook_point: which ones.
        protein_ids: proteins.
        config: poolings, number and seed of the directions.

    Returns:
        `protein_id`, and for each such pooling `neurons_<pooling>`, `random_directions_<pooling>`: lists of
        2 d_model and 2 n_directions float32. Without rows if only the mean is asked for.
    """
    poolings = [name for name in config.poolings if name != "mean"]
    if not poolings:
        return pd.DataFrame(columns=["protein_id"])
    rows = []
    directions = torch.empty(0)
    for protein_id, _, block in source.iter_residues(hook_point, protein_ids):
        x, segment = torch.from_numpy(block), torch.zeros(len(block), dtype=torch.int64)
        if not len(directions):
            directions = unit_directions(x.shape[1], config.n_directions, config.seed)
        row: dict[str, Any] = {"protein_id": protein_id}
        for name, values in zip(UNTRAINED, (x, x @ directions), strict=True):
            both = torch.cat([values, -values], dim=1)
            for pooling in poolings:
                row[f"{name}_{pooling}"] = SEGMENT_POOLINGS[pooling](both, segment, 1)[0].numpy()
        rows.append(row)
    return pd.DataFrame(rows)
