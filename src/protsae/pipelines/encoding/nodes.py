"""Nodes of the encoding pipeline: stored activations pass through each dictionary."""

from typing import Any

import pandas as pd

from protsae.probing.config import EncodingConfig


def encode_proteins(
    activation_shards: Any, sae_checkpoint: Any, proteins: pd.DataFrame, config: EncodingConfig
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Pass all proteins through a dictionary (a `SaeCheckpoint`): pooled latents, statistics,
    reconstruction."""
    from protsae.probing.encoding import Run, encode_splits
    from protsae.probing.splits import split_of_proteins

    split_of = split_of_proteins(proteins, activation_shards.protein_ids)
    run = Run.of(sae_checkpoint)
    found = encode_splits(activation_shards, sae_checkpoint.load(), run, split_of, config)
    return found.proteins, found.latent_statistics, found.reconstruction
