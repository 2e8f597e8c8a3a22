"""All measures of a dictionary, and MonoSemanticity of the activations that it was trained on."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from protsae.disentanglement.absorption import absorption
from protsae.disentanglement.config import AbsorptionConfig, MonosemanticityConfig
from protsae.disentanglement.panels import (
    AnnotationTables,
    Panel,
    annotation_panels,
    cluster_of,
    embedding_panels,
    window_panel,
)
from protsae.disentanglement.residue_absorption import residue_absorption
from protsae.disentanglement.residues import draw_sample
from protsae.disentanglement.scoring import score_panels
from protsae.disentanglement.splitting import splitting
from protsae.encoding.codes import CodeStore
from protsae.interpretation.dictionary import EncodedDictionary
from protsae.metrics.table import concat_metrics
from protsae.ontology.obo import Ontology
from protsae.probing.labelled import LabelledProteins


def protein_panels(
    proteins: pd.DataFrame, tables: AnnotationTables, embeddings: pd.DataFrame, split: str
) -> list[Panel]:
    """Return the judges whose items are proteins of a split.

    Args:
        proteins: `protein_id`, `split`, `cluster_id` of those that have activations.
        tables: annotations and ontology.
        embeddings: those of another model, or no rows.
        split: the proteins to compare.
    """
    return annotation_panels(tables, proteins, split) + embedding_panels(embeddings, proteins, split)


def measure_monosemanticity(
    subject: EncodedDictionary,
    codes: CodeStore | None,
    concepts: pd.DataFrame | None,
    proteins: pd.DataFrame,
    panels: list[Panel],
    config: MonosemanticityConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score latents, or neurons, by panels of proteins, and latents by windows around residues.

    Args:
        subject: the dictionary, on the split that is compared.
        codes: its codes of residues; None: there are none, as of neurons.
        concepts: the `concepts` table; None for neurons.
        proteins: `protein_id`, `sequence`, `split`, `cluster_id` of those that have activations.
        panels: judges whose items are proteins.
        config: settings.

    Returns:
        The table in the columns `scoring.COLUMNS`, and rows of the metrics table.
    """
    judged = [
        (panel, np.asarray(subject.pooled_of(config.split, panel.items.tolist()), np.float64))
        for panel in panels
    ]
    scored: list[tuple[Panel, object]] = [*judged]
    if codes is not None:
        here = proteins[proteins["split"] == config.split]
        sequences: Mapping[str, str] = dict(zip(here["protein_id"], here["sequence"], strict=True))
        lengths = {name: len(sequence) for name, sequence in sequences.items()}
        drawn = config.residues_per_protein
        sample = draw_sample(codes, lengths, residues_per_protein=drawn, seed=config.seed)
        panel = window_panel(sample, sequences, cluster_of(here), config.flank)
        scored.append((panel, sample.activations))
    ids = np.empty(0, object)
    if concepts is not None:
        ids = concepts["concept_id"].to_numpy(object)
    return score_panels(subject, ids, scored, config)


def measure_concepts(
    codes: CodeStore,
    encoding: pd.DataFrame,
    statistics: pd.DataFrame,
    proteins: LabelledProteins,
    ontology: Ontology,
    config: AbsorptionConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Measure absorption between nested concepts and splitting of concepts.

    Args:
        codes: the dictionary's codes of residues.
        encoding: `protein_id`, `mean_latents`, `max_latents`.
        statistics: `latent`, `kind`, `concept_idx`, sorted by latent.
        proteins: concepts, and the proteins that carry them.
        ontology: the tables `concept_terms` and `concept_relations`.
        config: settings.

    Returns:
        The tables of absorption and of splitting, and rows of the metrics table.
    """
    subject = EncodedDictionary.of(codes.run, statistics, encoding, proteins.ids, config.pooling)
    whole, rows = absorption(subject, proteins, ontology, config)
    residues, residue_rows = residue_absorption(codes, subject, proteins, ontology, config)
    absorbed = pd.concat([t for t in (whole, residues) if len(t)] or [whole], ignore_index=True)
    split, split_rows = splitting(subject, proteins, config)
    return absorbed, split, concat_metrics([rows, residue_rows, split_rows])
