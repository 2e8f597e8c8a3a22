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


def collect_latents(**parts: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """Stack the tables of all dictionaries, and count how many latents stand for a concept.

    Args:
        parts: `latents`, `latent_concepts` and `latent_examples` of every dictionary.

    Returns:
        The three tables, and the counts.
    """
    from protsae.interpretation.tables import summarise
    from protsae.pipelines.wiring import parts_of

    names = ("latents", "latent_concepts", "latent_examples")
    stacked = [pd.concat(list(parts_of(parts, name).values()), ignore_index=True) for name in names]
    return *stacked, summarise(stacked[0])
