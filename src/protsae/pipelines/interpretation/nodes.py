"""Nodes of the interpretation pipeline: what the latents of each dictionary stand for."""

from typing import Any

import pandas as pd

from protsae.interpretation.config import ExampleConfig, MatchingConfig


def interpret_latents(
    residue_codes: Any,
    encoding: pd.DataFrame,
    latent_statistics: pd.DataFrame,
    *,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    residue_labels: pd.DataFrame,
    matching: MatchingConfig,
    examples: ExampleConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Match a dictionary's latents with concepts and residues, and draw examples, by its codes (a
    `CodeStore`)."""
    from protsae.annotations.labels import LabelTables
    from protsae.interpretation.tables import interpret
    from protsae.probing.labelled import LabelledProteins

    tables = LabelTables(concepts, protein_labels, labelled_aspects, residue_labels)
    found = interpret(
        residue_codes,
        encoding,
        latent_statistics,
        proteins=LabelledProteins.of(proteins, tables, encoding["protein_id"]),
        descriptions=dict(zip(proteins["protein_id"], proteins["description"], strict=True)),
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
