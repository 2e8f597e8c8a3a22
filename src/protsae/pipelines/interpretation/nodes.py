"""Nodes of the interpretation pipeline: what the latents of each dictionary stand for."""

from typing import Any

import pandas as pd

from protsae.interpretation.config import ExampleConfig, MatchingConfig
from protsae.pipelines.wiring import stacked

TABLES = ("latents", "latent_concepts", "latent_examples")


def interpret_latents(
    residue_codes: Any,
    encoding: pd.DataFrame,
    latent_statistics: pd.DataFrame,
    *,
    proteins: pd.DataFrame,
    matching: MatchingConfig,
    examples: ExampleConfig,
    **labels: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Match a dictionary's latents with concepts and residues, and draw examples, by its codes (a
    `CodeStore`).

    Returns:
        Latents, their concepts, their examples.
    """
    from protsae.annotations.labels import LabelTables
    from protsae.interpretation.tables import interpret
    from protsae.probing.labelled import LabelledProteins

    return interpret(
        residue_codes,
        encoding,
        latent_statistics,
        proteins=LabelledProteins.of(proteins, LabelTables(**labels), encoding["protein_id"]),
        descriptions=dict(zip(proteins["protein_id"], proteins["description"], strict=True)),
        matching=matching,
        examples=examples,
    )


def collect_latents(**parts: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """Stack the tables of all dictionaries, and count how many latents stand for a concept.

    Args:
        parts: `latents`, `latent_concepts` and `latent_examples` of every dictionary.

    Returns:
        The three tables, and the counts.
    """
    from protsae.interpretation.tables import summarise

    latents, concepts, examples = (stacked(parts, name) for name in TABLES)
    return latents, concepts, examples, summarise(latents)
