"""Nodes of the disentanglement pipeline: one thing per latent, one latent per thing?"""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.disentanglement.config import AbsorptionConfig, MonosemanticityConfig


def read_judge_embeddings(
    raw_judge_embeddings: Path | None,
    activation_shards: Any,
    mean_activations: pd.DataFrame,
    config: MonosemanticityConfig,
) -> pd.DataFrame:
    """Read the embeddings of another model, where there are any; `activation_shards` (an `ActivationStore`)
    says which model may not judge."""
    from protsae.disentanglement.embeddings import StudiedModel, read_embeddings

    model = activation_shards.manifest.model
    studied = StudiedModel(model.name, model.sha256)
    return read_embeddings(raw_judge_embeddings, studied, mean_activations, config.embedding_model)


def measure_monosemanticity(
    activation_shards: Any,
    sae_checkpoint: Any,
    encoding: pd.DataFrame,
    latent_statistics: pd.DataFrame,
    *,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    protein_concepts: pd.DataFrame,
    concept_terms: pd.DataFrame,
    concept_relations: pd.DataFrame,
    judge_embeddings: pd.DataFrame,
    config: MonosemanticityConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score the latents of a dictionary (a `SaeCheckpoint`) before every judge, on an `ActivationStore`."""
    from protsae.disentanglement.measuring import Evidence, measure_dictionary
    from protsae.disentanglement.panels import AnnotationTables
    from protsae.disentanglement.scoring import Latents
    from protsae.probing.encoding import Run

    known = AnnotationTables(protein_concepts, concept_terms, concept_relations)
    encoded = proteins[proteins["protein_id"].isin(encoding["protein_id"])]
    evidence = Evidence.of(encoded, known, judge_embeddings, config)
    latents = Latents.of(Run.of(sae_checkpoint), latent_statistics, concepts)
    sae = sae_checkpoint.load()
    return measure_dictionary(latents, sae, activation_shards, encoding, evidence, config)


def measure_neurons(
    mean_activations: pd.DataFrame,
    proteins: pd.DataFrame,
    protein_concepts: pd.DataFrame,
    concept_terms: pd.DataFrame,
    concept_relations: pd.DataFrame,
    judge_embeddings: pd.DataFrame,
    hook_point: str,
    config: MonosemanticityConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score the dimensions of the activations before the same judges: the floor for dictionaries."""
    from protsae.disentanglement import measuring
    from protsae.disentanglement.panels import AnnotationTables

    known = AnnotationTables(protein_concepts, concept_terms, concept_relations)
    pooled = proteins[proteins["protein_id"].isin(mean_activations["protein_id"])]
    evidence = measuring.Evidence.of(pooled, known, judge_embeddings, config)
    return measuring.measure_neurons(mean_activations, hook_point, evidence, config)


def measure_absorption(
    activation_shards: Any,
    sae_checkpoint: Any,
    encoding: pd.DataFrame,
    latent_statistics: pd.DataFrame,
    *,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    residue_labels: pd.DataFrame,
    concept_terms: pd.DataFrame,
    concept_relations: pd.DataFrame,
    config: AbsorptionConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Measure absorption between nested concepts and splitting of concepts, in a `SaeCheckpoint` on an
    `ActivationStore`."""
    from protsae.annotations.labels import LabelTables
    from protsae.disentanglement.measuring import measure_concepts
    from protsae.ontology.obo import Ontology
    from protsae.probing.encoding import Run

    return measure_concepts(
        Run.of(sae_checkpoint),
        sae_checkpoint.load(),
        activation_shards,
        encoding,
        latent_statistics,
        proteins=proteins,
        tables=LabelTables(concepts, protein_labels, labelled_aspects, residue_labels),
        ontology=Ontology(concept_terms, concept_relations),
        config=config,
    )


def collect_disentanglement(**parts: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """Stack what was measured of dictionaries and neurons.

    Args:
        parts: `monosemanticity`, `absorption` and `splitting`, and the rows of the metrics table as
            `monosemanticity_metrics` and `absorption_metrics`.

    Returns:
        monosemanticity, absorption, splitting, and all rows of the metrics table.
    """
    from protsae.metrics.table import concat_metrics
    from protsae.pipelines.wiring import parts_of

    names = ("monosemanticity", "absorption", "splitting")
    tables = (list(parts_of(parts, name).values()) for name in names)
    stacked = (pd.concat([t for t in found if len(t)] or found[:1], ignore_index=True) for found in tables)
    rows = [*parts_of(parts, "monosemanticity_metrics").values()]
    return (*stacked, concat_metrics([*rows, *parts_of(parts, "absorption_metrics").values()]))
