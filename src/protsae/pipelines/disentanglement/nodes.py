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
    residue_codes: Any,
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
    """Score the latents of a dictionary, whose codes are `residue_codes` (a `CodeStore`), by every judge."""
    from protsae.disentanglement import measuring
    from protsae.disentanglement.panels import AnnotationTables
    from protsae.interpretation.dictionary import EncodedDictionary

    known = AnnotationTables(protein_concepts, concept_terms, concept_relations)
    encoded = proteins[proteins["protein_id"].isin(encoding["protein_id"])]
    panels = measuring.protein_panels(encoded, known, judge_embeddings, config.split)
    ids: dict[str, list[str]] = {
        config.split: encoded.loc[encoded["split"] == config.split, "protein_id"].tolist()
    }
    run = residue_codes.run
    subject = EncodedDictionary.of(run, latent_statistics, encoding, ids, config.pooling)
    return measuring.measure_monosemanticity(subject, residue_codes, concepts, encoded, panels, config)


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
    """Score the dimensions of the activations by the judges of proteins: the floor for dictionaries."""
    from protsae.disentanglement import measuring
    from protsae.disentanglement.panels import AnnotationTables
    from protsae.interpretation.dictionary import EncodedDictionary

    known = AnnotationTables(protein_concepts, concept_terms, concept_relations)
    pooled = proteins[proteins["protein_id"].isin(mean_activations["protein_id"])]
    panels = measuring.protein_panels(pooled, known, judge_embeddings, config.split)
    ids: dict[str, list[str]] = {
        config.split: pooled.loc[pooled["split"] == config.split, "protein_id"].tolist()
    }
    subject = EncodedDictionary.neurons(hook_point, mean_activations, ids)
    return measuring.measure_monosemanticity(subject, None, None, pooled, panels, config)


def measure_absorption(
    residue_codes: Any,
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
    """Measure absorption between nested concepts and splitting of concepts, by the codes (a `CodeStore`) of a
    dictionary."""
    from protsae.annotations.labels import LabelTables
    from protsae.disentanglement.measuring import measure_concepts
    from protsae.ontology.obo import Ontology
    from protsae.probing.labelled import LabelledProteins

    tables = LabelTables(concepts, protein_labels, labelled_aspects, residue_labels)
    labelled = LabelledProteins.of(proteins, tables, encoding["protein_id"])
    ontology = Ontology(concept_terms, concept_relations)
    return measure_concepts(residue_codes, encoding, latent_statistics, labelled, ontology, config)


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
