"""Nodes of the probing pipeline: from activations and dictionaries to scores and metrics."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.plm import load_plm
from protsae.probing.config import (
    ComparisonConfig,
    EncodingConfig,
    NeighbourConfig,
    RandomPlmConfig,
    ScoringConfig,
)


def pool_activations(activation_shards: Any, proteins: pd.DataFrame, hook_point: str) -> pd.DataFrame:
    """Average the activations (an `ActivationStore`) of every protein over its residues."""
    from protsae.probing.encoding import mean_activations
    from protsae.probing.splits import split_of_proteins

    split_of = split_of_proteins(proteins, activation_shards.protein_ids)
    return mean_activations(activation_shards, hook_point, list(split_of))


def encode_proteins(
    activation_shards: Any, sae_checkpoint: Any, proteins: pd.DataFrame, config: EncodingConfig
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Pass all proteins through a dictionary (a `SaeCheckpoint`): pooled latents, statistics,
    reconstruction."""
    from protsae.probing.encoding import Run, encode_splits
    from protsae.probing.splits import split_of_proteins

    split_of = split_of_proteins(proteins, activation_shards.protein_ids)
    run = Run.of(sae_checkpoint)
    found = encode_splits(activation_shards, sae_checkpoint.load(), run, split_of, config)
    return found.proteins, found.latent_statistics, found.reconstruction


def score_concepts(
    protsae_encoding: pd.DataFrame,
    topk_encoding: pd.DataFrame,
    mean_activations: pd.DataFrame,
    *,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    config: ScoringConfig,
) -> pd.DataFrame:
    """Score validation and test proteins for every concept of whole proteins by every method."""
    from protsae.probing.scores import score_all_methods, score_table
    from protsae.probing.splits import labels_by_split, protein_level

    columns = protein_level(concepts)
    splits = labels_by_split(
        proteins, concepts, protein_labels, labelled_aspects, protsae_encoding["protein_id"]
    )
    scores = score_all_methods(protsae_encoding, topk_encoding, mean_activations, splits, columns, config)
    return score_table(scores, splits, columns)


def find_neighbours(proteins: pd.DataFrame, config: NeighbourConfig) -> pd.DataFrame:
    """Search validation and test proteins among the training proteins: the baseline by sequence."""
    from protsae.probing import neighbours

    return neighbours.find_neighbours(proteins, config)


def pool_random_plm(
    extraction_sequences: pd.DataFrame, plm_checkpoint: Path, hook_point: str, config: RandomPlmConfig
) -> pd.DataFrame:
    """Average over residues what a model of this shape with random weights makes of every protein."""
    from protsae.probing.random_plm import random_mean_activations

    kept = extraction_sequences[~extraction_sequences["is_excluded"]]
    sequences = dict(zip(kept["protein_id"], kept["sequence"], strict=True))
    return random_mean_activations(load_plm(plm_checkpoint), hook_point, sequences, config)


def score_baselines(
    neighbours: pd.DataFrame,
    random_mean_activations: pd.DataFrame,
    *,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    config: ScoringConfig,
) -> pd.DataFrame:
    """Score the same proteins by neighbours, by composition, and by a model that has learnt nothing."""
    from protsae.probing import baselines
    from protsae.probing.scores import score_table
    from protsae.probing.splits import labels_by_split, protein_level

    columns, available = protein_level(concepts), random_mean_activations["protein_id"]
    splits = labels_by_split(proteins, concepts, protein_labels, labelled_aspects, available)
    scores = baselines.score_baselines(proteins, neighbours, random_mean_activations, splits, columns, config)
    return score_table(scores, splits, columns)


def evaluate_scores(
    concept_scores: pd.DataFrame,
    baseline_scores: pd.DataFrame,
    *,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    concept_terms: pd.DataFrame,
    concept_relations: pd.DataFrame,
    config: ComparisonConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Judge the scores per aspect, with intervals over homology clusters, per concept and in pairs."""
    from protsae.probing import evaluation
    from protsae.probing.estimates import difference_rows
    from protsae.probing.scores import SCORED_SPLITS
    from protsae.probing.splits import labels_by_split, protein_level
    from protsae.probing.vocabulary import Vocabulary

    concept_scores = pd.concat([concept_scores, baseline_scores], ignore_index=True)
    scored, columns = concept_scores["protein_id"].unique(), protein_level(concepts)
    judged = concepts[concepts["concept_idx"].isin(columns)]
    vocabulary = Vocabulary.of(judged, concept_terms, concept_relations)
    if not len(columns):
        nothing = evaluation.score_metrics({}, config.confidence)
        return nothing, evaluation.concept_metrics({}, vocabulary), nothing
    labels = labels_by_split(proteins, concepts, protein_labels, labelled_aspects, scored, SCORED_SPLITS)
    splits = {split: found.of_concepts(columns) for split, found in labels.items()}
    scores = evaluation.scores_by_method(concept_scores, splits, columns)
    clusters = dict(zip(proteins["protein_id"], proteins["cluster_id"], strict=True))
    bands = evaluation.identity_strata(proteins)
    found = evaluation.evaluate_all(scores, splits, vocabulary, clusters, config, bands)
    return (
        evaluation.score_metrics(found, config.confidence),
        evaluation.concept_metrics(found, vocabulary),
        difference_rows(found, config.differences, config.confidence),
    )


def score_residues(
    activation_shards: Any,
    sae_checkpoint: Any,
    proteins: pd.DataFrame,
    *,
    concepts: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    residue_labels: pd.DataFrame,
    encoding: EncodingConfig,
    config: ComparisonConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge the concepts of residues residue by residue, in a guided dictionary (a `SaeCheckpoint`)."""
    from protsae.annotations.labels import LabelTables
    from protsae.probing.encoding import Run
    from protsae.probing.residue_scores import evaluate_residues
    from protsae.probing.splits import split_of_proteins

    split_of = split_of_proteins(proteins, activation_shards.protein_ids)
    return evaluate_residues(
        activation_shards,
        sae_checkpoint.load(),
        Run.of(sae_checkpoint),
        proteins=proteins[proteins["protein_id"].isin(split_of)],
        tables=LabelTables(concepts, protein_labels, labelled_aspects, residue_labels),
        residues_per_batch=encoding.residues_per_batch,
        config=config,
    )


def measure_subsumption(sae_checkpoint: Any, axioms: pd.DataFrame, concepts: pd.DataFrame) -> pd.DataFrame:
    """Measure how well the predictor's geometry (of a `SaeCheckpoint`) obeys the ontology."""
    from protsae.probing.collect import subsumption_rows
    from protsae.probing.encoding import Run

    return subsumption_rows(sae_checkpoint.load(), Run.of(sae_checkpoint), axioms, concepts)
