"""Nodes of the encoding pipeline: all stored residues pass through each dictionary, once."""

from typing import Any

import pandas as pd

from protsae.encoding.config import EncodingConfig


def encode_proteins(
    activation_shards: Any, sae_checkpoint: Any, proteins: pd.DataFrame, config: EncodingConfig
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, Any]:
    """Pass the activations (an `ActivationStore`) of all proteins through a dictionary (a `SaeCheckpoint`).

    Returns:
        Pooled latents by protein, statistics by latent, sums of reconstruction by protein and amino acid, and
        the codes of residues (an `encoding.codes.CodeStore`).
    """
    from protsae.encoding.reading import encode_and_store
    from protsae.encoding.run import Run
    from protsae.probing.splits import split_of_proteins

    split_of = split_of_proteins(proteins, activation_shards.protein_ids)
    stored = proteins[proteins["protein_id"].isin(split_of)]
    run = Run.of(sae_checkpoint)
    found, codes = encode_and_store(activation_shards, sae_checkpoint.load(), run, stored, config)
    return found.proteins, found.latent_statistics, found.reconstruction_sums, codes
