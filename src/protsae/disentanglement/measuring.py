"""All measures of a dictionary, and MonoSemanticity of the activations that it was trained on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from protsae.annotations.labels import LabelTables
from protsae.disentanglement.absorption import Subject, absorption
from protsae.disentanglement.config import AbsorptionConfig, MonosemanticityConfig
from protsae.disentanglement.nesting import nearest_pairs
from protsae.disentanglement.panels import (
    AnnotationTables,
    Panel,
    annotation_panels,
    cluster_of,
    embedding_panels,
    window_panel,
)
from protsae.disentanglement.residue_absorption import ResidueWorld, residue_absorption
from protsae.disentanglement.residues import encode_sample
from protsae.disentanglement.scoring import Latents, score_panels
from protsae.disentanglement.splitting import splitting
from protsae.metrics.table import concat_metrics
from protsae.ontology.obo import Ontology
from protsae.probing.batches import ProteinSource
from protsae.probing.encoding import Run
from protsae.probing.splits import feature_matrix, labels_by_split
from protsae.sae.base import SparseAutoencoder


@dataclass(frozen=True)
class Evidence:
    """What latents are judged by, whatever the dictionary."""

    proteins: pd.DataFrame
    """`protein_id`, `sequence`, `split`, `cluster_id` of those that have activations."""
    panels: list[Panel]
    """Those whose items are proteins."""

    @classmethod
    def of(
        cls,
        proteins: pd.DataFrame,
        tables: AnnotationTables,
        embeddings: pd.DataFrame,
        config: MonosemanticityConfig,
    ) -> "Evidence":
        """Prepare the panels of proteins."""
        of_annotations = annotation_panels(tables, proteins, config.split)
        return cls(proteins, of_annotations + embedding_panels(embeddings, proteins, config.split))


def measure_dictionary(
    latents: Latents,
    sae: SparseAutoencoder,
    source: ProteinSource,
    encoding: pd.DataFrame,
    evidence: Evidence,
    config: MonosemanticityConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score a dictionary's latents before the panels of proteins and before windows around residues.

    Args:
        latents: their names.
        sae: the dictionary.
        source: stored activations, for the residues.
        encoding: `protein_id`, `mean_latents`, `max_latents`.
        evidence: the judges.
        config: settings.

    Returns:
        The table in the columns `scoring.COLUMNS`, and rows of the metrics table.
    """
    judged = _of_proteins(encoding, f"{config.pooling}_latents", evidence)
    here = evidence.proteins[evidence.proteins["split"] == config.split]
    sequences = dict(zip(here["protein_id"], here["sequence"], strict=True))
    sample = encode_sample(
        source,
        sae,
        latents.run.hook_point,
        sequences,
        residues_per_protein=config.residues_per_protein,
        seed=config.seed,
    )
    panel = window_panel(sample, sequences, cluster_of(here), config.flank)
    return score_panels(latents, [*judged, (panel, sample.activations)], config)


def measure_neurons(
    activations: pd.DataFrame, hook_point: str, evidence: Evidence, config: MonosemanticityConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score the dimensions of the activations before the panels of proteins.

    Args:
        activations: `protein_id`, `activation`: means over residues.
        hook_point: where they were taken.
        evidence: the judges.
        config: settings.
    """
    latents = Latents.neurons(hook_point, len(activations["activation"].iloc[0]))
    return score_panels(latents, _of_proteins(activations, "activation", evidence), config)


def measure_concepts(
    run: Run,
    sae: SparseAutoencoder,
    source: ProteinSource,
    encoding: pd.DataFrame,
    statistics: pd.DataFrame,
    *,
    proteins: pd.DataFrame,
    tables: LabelTables,
    ontology: Ontology,
    config: AbsorptionConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Measure absorption between nested concepts and splitting of concepts.

    Args:
        run: the dictionary.
        sae: the same, for concepts of residues.
        source: stored activations, for concepts of residues.
        encoding: `protein_id`, `mean_latents`, `max_latents`.
        statistics: `latent`, `kind`, `concept_idx`, sorted by latent.
        proteins: `protein_id`, `split`, `cluster_id`.
        tables: concepts, and what carries them.
        ontology: the tables `concept_terms` and `concept_relations`.
        config: settings.

    Returns:
        The tables of absorption and of splitting, and rows of the metrics table.
    """
    encoded = proteins[proteins["protein_id"].isin(encoding["protein_id"])]
    known = (tables.concepts, tables.protein_labels, tables.labelled_aspects)
    labels = labels_by_split(encoded, *known, encoding["protein_id"])
    subject = Subject.of(run, statistics, encoding, tables.concepts, labels, config.pooling)
    pairs = nearest_pairs(subject.concepts, ontology.terms, ontology.relations)
    whole, rows = absorption(subject, pairs, cluster_of(encoded), config)
    world = ResidueWorld.of(run, statistics, tables, ontology)
    residues, residue_rows = residue_absorption(source, sae, world, encoded, config)
    absorbed = pd.concat([t for t in (whole, residues) if len(t)] or [whole], ignore_index=True)
    split, split_rows = splitting(subject, config)
    return absorbed, split, concat_metrics([rows, residue_rows, split_rows])


def _of_proteins(table: pd.DataFrame, column: str, evidence: Evidence) -> list[tuple[Panel, Any]]:
    """Return each panel of proteins with the vectors of its items, float64."""
    return [
        (panel, np.asarray(feature_matrix(table, column, panel.items.tolist()), np.float64))
        for panel in evidence.panels
    ]
