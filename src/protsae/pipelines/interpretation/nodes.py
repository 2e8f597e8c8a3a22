"""Nodes of the interpretation pipeline: what the latents of each dictionary stand for."""

from typing import Any

import pandas as pd

from protsae.interpretation.config import ExampleConfig, MatchingConfig


def interpret_latents(
    activation_shards: Any,
    sae_checkpoint: Any,
    encoding: pd.DataFrame,
    latent_statistics: pd.DataFrame,
    *,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    matching: MatchingConfig,
    examples: ExampleConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Match a dictionary's latents with concepts and residues, and draw examples.

    `activation_shards` is an `ActivationStore`, `sae_checkpoint` a `SaeCheckpoint`.
    """
    from protsae.interpretation.tables import Subject, interpret
    from protsae.probing.encoding import Run
    from protsae.probing.splits import labels_by_split

    subject = Subject(Run.of(sae_checkpoint), sae_checkpoint.load(), encoding, latent_statistics)
    found = interpret(
        subject,
        activation_shards,
        proteins=proteins,
        concepts=concepts,
        splits=labels_by_split(proteins, concepts, protein_labels, labelled_aspects, encoding["protein_id"]),
        matching=matching,
        examples=examples,
    )
    return found.latents, found.latent_concepts, found.latent_examples


def collect_latents(
    protsae_latents: pd.DataFrame, topk_latents: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Stack the latents of both dictionaries, and count how many stand for a concept."""
    from protsae.interpretation.tables import summarise

    latents = pd.concat([protsae_latents, topk_latents], ignore_index=True)
    return latents, summarise(latents)


def collect_latent_concepts(protsae_concepts: pd.DataFrame, topk_concepts: pd.DataFrame) -> pd.DataFrame:
    """Stack the concepts of both dictionaries' latents."""
    return pd.concat([protsae_concepts, topk_concepts], ignore_index=True)


def collect_latent_examples(protsae_examples: pd.DataFrame, topk_examples: pd.DataFrame) -> pd.DataFrame:
    """Stack the examples of both dictionaries' latents."""
    return pd.concat([protsae_examples, topk_examples], ignore_index=True)
