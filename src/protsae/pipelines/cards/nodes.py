"""Nodes of the cards pipeline: what every latent of a dictionary does."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.cards.config import (
    ActivityConfig,
    DenseConfig,
    DirectionsConfig,
    EffectsConfig,
    EnrichmentConfig,
    TopicsConfig,
)

MEASURED = (
    *("latents", "latent_statistics", "latent_activity", "latent_directions", "latent_effects"),
    *("latent_enrichment", "enrichment_counts", "latent_topics", "alignment", "monosemanticity"),
)
"""Tables that a card joins."""
DESCRIBED = ("latent_cards", "latent_windows", "latent_enrichment", "latent_concepts")
"""Tables that are also written as text."""


def describe_activity(
    residue_codes: Any, latent_statistics: pd.DataFrame, proteins: pd.DataFrame, config: ActivityConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Describe where each latent is active, by its codes (a `CodeStore`): `latent_activity`,
    `latent_windows`."""
    from protsae.cards.describing import describe

    return describe(residue_codes, latent_statistics, proteins, config)


def compare_directions(sae_checkpoint: Any, config: DirectionsConfig) -> pd.DataFrame:
    """Compare and draw the directions of a dictionary's latents (a `SaeCheckpoint`)."""
    from protsae.cards.decoder import direction_table

    sae = sae_checkpoint.load()
    decoder, encoder = (weight.detach().float().numpy() for weight in (sae.W_dec, sae.W_enc.T))
    return direction_table(decoder, encoder, config)


def measure_effects(
    plm_checkpoint: Path,
    sae_checkpoint: Any,
    proteins: pd.DataFrame,
    latent_activity: pd.DataFrame,
    *,
    latent_windows: pd.DataFrame,
    latent_examples: pd.DataFrame,
    activity: ActivityConfig,
    config: EffectsConfig,
) -> pd.DataFrame:
    """Measure what the latents of a dictionary (a `SaeCheckpoint`) do to the language model's output."""
    from protsae.cards import effects
    from protsae.plm import load_plm

    shown = {*latent_examples["latent"], *range(sae_checkpoint.n_defined)}
    held_out = proteins[proteins["split"].isin(activity.splits)]
    return effects.measure_effects(
        load_plm(plm_checkpoint),
        sae_checkpoint,
        dict(zip(held_out["protein_id"], held_out["sequence"], strict=True)),
        latent_activity[effects.STRENGTH].to_numpy(),
        windows=latent_windows,
        shown=sorted(shown),
        config=config,
    )


def enrich_latents(
    encoding: pd.DataFrame,
    proteins: pd.DataFrame,
    protein_concepts: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    *,
    concept_terms: pd.DataFrame,
    config: EnrichmentConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test which concepts the proteins carry that each latent is most active on: `latent_enrichment`,
    `enrichment_counts`."""
    from protsae.cards.enrichment import enrichment

    return enrichment(encoding, proteins, protein_concepts, labelled_aspects, concept_terms, config)


def find_topics(
    encoding: pd.DataFrame,
    proteins: pd.DataFrame,
    protein_concepts: pd.DataFrame,
    concept_terms: pd.DataFrame,
    config: TopicsConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Merge latents to topics of proteins: `latent_topics`, `topics`."""
    from protsae.cards.topics import merge_topics, topic_atoms, topic_table

    atoms = topic_atoms(encoding, proteins, protein_concepts, concept_terms, config)
    topic = merge_topics(atoms, config.n_topics, config.seed)
    names = dict(zip(concept_terms["term_id"], concept_terms["name"], strict=True))
    return atoms.assign(topic=topic), topic_table(atoms, topic, names)


def join_cards(
    proteins: pd.DataFrame,
    concept_terms: pd.DataFrame,
    concept_relations: pd.DataFrame,
    *,
    activity: ActivityConfig,
    config: DenseConfig,
    **measured: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join all that is known of each latent: `latent_cards`, `card_summary`."""
    from protsae.cards.tables import Measured, amino_acid_shares, card_summary, make_cards
    from protsae.ontology.obo import Ontology

    tables = Measured(**measured)
    cards = make_cards(tables, amino_acid_shares(proteins, activity.splits), config)
    return cards, card_summary(cards, tables, Ontology(concept_terms, concept_relations), activity.seed)


def describe_tables(sae_checkpoint: Any, proteins: pd.DataFrame, **tables: pd.DataFrame) -> tuple[str, ...]:
    """Write the tables of a dictionary (a `SaeCheckpoint`) as text that says what they were made of, in the
    order of `DESCRIBED`."""
    from protsae.core.described_tsv import described_tsv
    from protsae.sae.provenance import made_of

    about = made_of(sae_checkpoint, proteins)
    return tuple(described_tsv(tables[name], {"table": name, **about}) for name in DESCRIBED)
