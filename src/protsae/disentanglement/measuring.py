"""All measures of a dictionary, and MonoSemanticity of the activations that it was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from protsae.disentanglement.absorption import Subject, absorption, nearest_pairs
from protsae.disentanglement.config import AbsorptionConfig, MonosemanticityConfig
from protsae.disentanglement.panels import (
    AnnotationTables,
    Panel,
    annotation_panels,
    cluster_of,
    embedding_panels,
    window_panel,
)
from protsae.disentanglement.residues import encode_sample
from protsae.disentanglement.scoring import Latents, score_panels
from protsae.disentanglement.splitting import splitting
from protsae.metrics.table import concat_metrics
from protsae.ontology.obo import Ontology
from protsae.probing.batches import ProteinSource
from protsae.probing.encoding import Run
from protsae.probing.splits import SplitLabels, feature_matrix
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
    encoding: pd.DataFrame,
    statistics: pd.DataFrame,
    concepts: pd.DataFrame,
    labels: Mapping[str, SplitLabels],
    clusters: Mapping[str, str],
    ontology: Ontology,
    config: AbsorptionConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Measure absorption between nested concepts and splitting of concepts.

    Args:
        run: the dictionary.
        encoding: `protein_id`, `mean_latents`, `max_latents`.
        statistics: `latent`, `kind`, `concept_idx`, sorted by latent.
        concepts: the `concepts` table.
        labels: labels of all concepts, by split.
        clusters: protein id to homology cluster.
        ontology: the tables `concept_terms` and `concept_relations`.
        config: settings.

    Returns:
        The tables of absorption and of splitting, and rows of the metrics table.
    """
    subject = Subject.of(run, statistics, encoding, concepts, labels, config.pooling)
    pairs = nearest_pairs(subject.concepts, ontology.terms, ontology.relations)
    absorbed, rows = absorption(subject, pairs, clusters, config)
    split, more_rows = splitting(subject, config)
    return absorbed, split, concat_metrics([rows, more_rows])


def _of_proteins(table: pd.DataFrame, column: str, evidence: Evidence) -> list[tuple[Panel, Any]]:
    """Return each panel of proteins with the vectors of its items, float64."""
    return [
        (panel, np.asarray(feature_matrix(table, column, panel.items.tolist()), np.float64))
        for panel in evidence.panels
    ]
