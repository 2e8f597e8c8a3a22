"""All measures of a dictionary, and MonoSemanticity of the activations that it was trained on."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from protsae.disentanglement.absorption import absorption, residue_absorption
from protsae.disentanglement.config import AbsorptionConfig, MonosemanticityConfig
from protsae.disentanglement.panels import (
    Panel,
    annotation_panels,
    cluster_of,
    embedding_panels,
    window_panel,
)
from protsae.disentanglement.residues import draw_sample
from protsae.disentanglement.scoring import score_panels
from protsae.disentanglement.splitting import splitting
from protsae.encoding.codes import CodeStore
from protsae.interpretation.dictionary import EncodedDictionary
from protsae.metrics.table import concat_metrics, stack_tables
from protsae.ontology.obo import Ontology
from protsae.probing.labelled import LabelledProteins


class JudgedProteins(NamedTuple):
    """The proteins of one split, and who judges how alike they are."""

    table: pd.DataFrame
    """`protein_id`, `sequence`, `cluster_id` of those that have activations."""
    ids: dict[str, list[str]]
    """The split to their ids."""
    panels: list[Panel]
    """Judges whose items are proteins."""

    @classmethod
    def of(
        cls,
        available: pd.Series,
        split: str,
        *,
        proteins: pd.DataFrame,
        protein_concepts: pd.DataFrame,
        concept_terms: pd.DataFrame,
        concept_relations: pd.DataFrame,
        judge_embeddings: pd.DataFrame,
    ) -> "JudgedProteins":
        """Take the proteins of a split that have activations, the `available` ones, from the tables of the
        catalog."""
        encoded = proteins[proteins["protein_id"].isin(available)]
        table = encoded[encoded["split"] == split]
        ontology = Ontology(concept_terms, concept_relations)
        panels = annotation_panels(protein_concepts, ontology, encoded, split)
        panels += embedding_panels(judge_embeddings, encoded, split)
        return cls(table, {split: table["protein_id"].tolist()}, panels)


def measure_monosemanticity(
    subject: EncodedDictionary,
    judged: JudgedProteins,
    config: MonosemanticityConfig,
    codes: CodeStore | None = None,
    concepts: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score latents, or neurons, by panels of proteins, and latents by windows around residues.

    Args:
        subject: the dictionary, on the split that is compared.
        judged: the proteins that are compared.
        config: settings.
        codes: its codes of residues; None: there are none, as of neurons.
        concepts: the `concepts` table; None for neurons.

    Returns:
        The table in the columns `scoring.COLUMNS`, and rows of the metrics table.
    """
    scored: list[tuple[Panel, Any]] = [
        (panel, np.asarray(subject.pooled_of(config.split, panel.items.tolist()), np.float64))
        for panel in judged.panels
    ]
    if codes is not None:
        sequences = dict(zip(judged.table["protein_id"], judged.table["sequence"], strict=True))
        lengths = {name: len(sequence) for name, sequence in sequences.items()}
        drawn = config.residues_per_protein
        sample = draw_sample(codes, lengths, residues_per_protein=drawn, seed=config.seed)
        panel = window_panel(sample, sequences, cluster_of(judged.table), config.flank)
        scored.append((panel, sample.activations))
    ids = np.empty(0, object) if concepts is None else concepts["concept_id"].to_numpy(object)
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
        encoding: `protein_id`, `<pooling>_latents`.
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
    split, split_rows = splitting(subject, proteins, config)
    return stack_tables([whole, residues]), split, concat_metrics([rows, residue_rows, split_rows])
