"""Nodes of the disentanglement pipeline: MonoSemanticity, absorption and splitting."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.disentanglement.config import AbsorptionConfig, MonosemanticityConfig
from protsae.pipelines.wiring import stacked, stacked_metrics


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
    concepts: pd.DataFrame,
    *,
    config: MonosemanticityConfig,
    **annotated: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score the latents of a dictionary, whose codes are `residue_codes` (a `CodeStore`), by every judge;
    `annotated`: see `measuring.JudgedProteins.of`."""
    from protsae.disentanglement import measuring
    from protsae.interpretation.dictionary import EncodedDictionary

    judged = measuring.JudgedProteins.of(encoding["protein_id"], config.split, **annotated)
    tables = latent_statistics, encoding
    subject = EncodedDictionary.of(residue_codes.run, *tables, judged.ids, config.pooling)
    return measuring.measure_monosemanticity(subject, judged, config, residue_codes, concepts)


def measure_neurons(
    mean_activations: pd.DataFrame,
    hook_point: str,
    *,
    config: MonosemanticityConfig,
    **annotated: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score the dimensions of the activations by the judges of proteins: the floor for dictionaries."""
    from protsae.disentanglement import measuring
    from protsae.interpretation.dictionary import EncodedDictionary

    judged = measuring.JudgedProteins.of(mean_activations["protein_id"], config.split, **annotated)
    subject = EncodedDictionary.neurons(hook_point, mean_activations, judged.ids)
    return measuring.measure_monosemanticity(subject, judged, config)


def measure_absorption(
    residue_codes: Any,
    encoding: pd.DataFrame,
    latent_statistics: pd.DataFrame,
    proteins: pd.DataFrame,
    *,
    concept_terms: pd.DataFrame,
    concept_relations: pd.DataFrame,
    config: AbsorptionConfig,
    **labels: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Measure absorption between nested concepts and splitting of concepts, by the codes (a `CodeStore`) of a
    dictionary."""
    from protsae.annotations.labels import LabelTables
    from protsae.disentanglement.measuring import measure_concepts
    from protsae.ontology.obo import Ontology
    from protsae.probing.labelled import LabelledProteins

    labelled = LabelledProteins.of(proteins, LabelTables(**labels), encoding["protein_id"])
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
    tables = (stacked(parts, name) for name in ("monosemanticity", "absorption", "splitting"))
    return (*tables, stacked_metrics(parts, "monosemanticity_metrics", "absorption_metrics"))
