"""Nodes of the probing pipeline: from encoded proteins to scores, and their evaluation."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from protsae.pipelines.wiring import LABELLED, ONTOLOGY, stacked, stacked_metrics
from protsae.plm import load_plm
from protsae.probing.config import (
    ComparisonConfig,
    EvaluationConfig,
    GatedProbeConfig,
    NeighbourConfig,
    Pair,
    RandomPlmConfig,
    ScoringConfig,
)

if TYPE_CHECKING:
    from protsae.probing.judge import Judge

JudgedTables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


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


def gate_linear_probe(
    activation_shards: Any,
    mean_activations: pd.DataFrame,
    *,
    hook_point: str,
    scoring: ScoringConfig,
    gated_probe: GatedProbeConfig,
    **tables: pd.DataFrame,
) -> pd.DataFrame:
    """Score held-out proteins by logistic regression through ProtSAE's gate, without a dictionary: the
    activations (an `ActivationStore`) of every split's residues are read once."""
    from protsae.probing.gated_probe import gated_probe_table

    judge = _judge(tables, mean_activations["protein_id"], scoring=scoring)
    means = judge.features(mean_activations, "activation")["train"]
    return gated_probe_table(activation_shards, hook_point, means, judge.splits, scoring, gated_probe)


def score_dictionary(
    encoding: pd.DataFrame, sae_checkpoint: Any, *, scoring: ScoringConfig, **tables: pd.DataFrame
) -> pd.DataFrame:
    """Score validation and test proteins by a dictionary (a `SaeCheckpoint`): by its latents, by a probe on
    them and, where it has one, by its predictor.

    Args:
        encoding: what it makes of every protein.
        sae_checkpoint: the dictionary.
        scoring: pooling, strengths of the probe.
        tables: see `_judge`.
    """
    from protsae.encoding.codes import require_concepts
    from protsae.probing.judge import score_table

    require_concepts(sae_checkpoint.concept_ids, tables["concepts"])
    judge = _judge(tables, encoding["protein_id"], scoring=scoring)
    scores = judge.score_dictionary(sae_checkpoint.name, encoding, guided=sae_checkpoint.n_defined > 0)
    return score_table(scores, judge)


def score_references(
    activation_shards: Any,
    mean_activations: pd.DataFrame,
    neighbours: pd.DataFrame,
    random_mean_activations: pd.DataFrame,
    gated_probe_scores: pd.DataFrame,
    *,
    hook_point: str,
    scoring: ScoringConfig,
    **tables: pd.DataFrame,
) -> pd.DataFrame:
    """Score the same proteins by what needs no dictionary: probes on activations of the language model and of
    one with random weights, shuffled labels, prevalence, composition, neighbours.

    Args:
        activation_shards: an `ActivationStore`, read where latents are not pooled by the mean alone.
        mean_activations: of every protein.
        neighbours: training proteins most like it.
        random_mean_activations: of the model with random weights.
        gated_probe_scores: of the control without an autoencoder.
        hook_point: which activations.
        scoring: poolings, strengths of the probes.
        tables: see `_judge`.
    """
    from protsae.probing.judge import score_table
    from protsae.probing.untrained import pool_untrained

    judge = _judge(tables, mean_activations["protein_id"], scoring=scoring)
    untrained = pool_untrained(
        activation_shards, hook_point, mean_activations["protein_id"].tolist(), scoring
    )
    given = mean_activations, neighbours, random_mean_activations, gated_probe_scores, untrained
    return score_table(judge.score_references(*given), judge)


def evaluate_dictionary(
    concept_scores: pd.DataFrame,
    encoding: pd.DataFrame,
    sae_checkpoint: Any,
    *,
    evaluation: EvaluationConfig,
    **tables: pd.DataFrame,
) -> JudgedTables:
    """Judge a dictionary's scores per aspect, with intervals over homology clusters, and per concept.

    Returns:
        Rows of the metrics table, one row per concept, and all estimates resample by resample.
    """
    from protsae.encoding.run import Run
    from protsae.probing.judge import about_dictionary, scores_of

    judge = _judge(tables, encoding["protein_id"], evaluation=evaluation)
    scores = scores_of(concept_scores, judge)
    return judge.tables(scores, about_dictionary(Run.of(sae_checkpoint), scores))


def describe_scorers(
    concept_scores: pd.DataFrame,
    encoding: pd.DataFrame,
    sae_checkpoint: Any,
    *,
    scoring: ScoringConfig,
    evaluation: EvaluationConfig,
    **tables: pd.DataFrame,
) -> pd.DataFrame:
    """Say how a dictionary (a `SaeCheckpoint`) scored its proteins, so that others can be scored alike: one
    row per concept and kind of score, with calibration, threshold and what it is worth on test."""
    from protsae.probing.judge import scores_of
    from protsae.probing.scorers import scorer_table

    judge = _judge(tables, encoding["protein_id"], scoring=scoring, evaluation=evaluation)
    scores, guided = scores_of(concept_scores, judge), sae_checkpoint.n_defined > 0
    return scorer_table(judge, sae_checkpoint.name, encoding, scores, guided=guided)


def evaluate_references(
    concept_scores: pd.DataFrame,
    mean_activations: pd.DataFrame,
    *,
    hook_point: str,
    evaluation: EvaluationConfig,
    **tables: pd.DataFrame,
) -> JudgedTables:
    """Judge the scores of references in the same way."""
    from protsae.probing.judge import about_references, scores_of

    judge = _judge(tables, mean_activations["protein_id"], evaluation=evaluation)
    scores = scores_of(concept_scores, judge)
    return judge.tables(scores, about_references(hook_point, scores))


def score_residues(
    residue_codes: Any,
    encoding: pd.DataFrame,
    proteins: pd.DataFrame,
    *,
    evaluation: EvaluationConfig,
    **labels: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge the concepts of residues residue by residue, by the codes (a `CodeStore`) of a guided
    dictionary."""
    from protsae.annotations.labels import LabelTables
    from protsae.probing.labelled import LabelledProteins
    from protsae.probing.residue_scores import evaluate_residues

    labelled = LabelledProteins.of(proteins, LabelTables(**labels), encoding["protein_id"])
    return evaluate_residues(residue_codes, labelled, evaluation)


def list_twins(
    mean_activations: pd.DataFrame, *, evaluation: EvaluationConfig, **tables: pd.DataFrame
) -> pd.DataFrame:
    """List the concepts that a near-twin represents in means over concepts and counts of them."""
    return _judge(tables, mean_activations["protein_id"], evaluation=evaluation).once.twins()


def measure_subsumption(sae_checkpoint: Any, axioms: pd.DataFrame, concepts: pd.DataFrame) -> pd.DataFrame:
    """Measure how well the predictor's geometry (of a `SaeCheckpoint`) obeys the ontology."""
    from protsae.encoding.run import Run
    from protsae.probing.subsumption import subsumption_rows

    return subsumption_rows(sae_checkpoint.load(), Run.of(sae_checkpoint), axioms, concepts)


def compare_methods(
    differences: tuple[Pair, ...],
    comparison: ComparisonConfig,
    evaluation: EvaluationConfig,
    **parts: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Stack the scores of all methods, and compare pairs of them on the same resamples of homology clusters.

    Args:
        differences: the pairs.
        comparison: subject and rival.
        evaluation: width of the intervals.
        parts: `score_metrics`, `concept_metrics` and `estimates` of every dictionary and of the references;
            `residue_metrics`, `subsumption_metrics` and `residue_concept_metrics` of those that predict.

    Returns:
        Rows of the metrics table, differences as such rows, scores concept by concept of proteins, and of
        residues.
    """
    from protsae.probing.judge import differences as paired
    from protsae.probing.residue_scores import CONCEPT_COLUMNS

    rows = stacked_metrics(parts, "score_metrics", "residue_metrics", "subsumption_metrics")
    found = paired(stacked(parts, "estimates"), differences, comparison, evaluation.confidence)
    of_residues = stacked(parts, "residue_concept_metrics", CONCEPT_COLUMNS)
    return rows, found, stacked(parts, "concept_metrics"), of_residues.drop_duplicates(ignore_index=True)


def _judge(
    tables: dict[str, pd.DataFrame],
    available: pd.Series,
    scoring: ScoringConfig | None = None,
    evaluation: EvaluationConfig | None = None,
) -> "Judge":
    """Return the judge of proteins that were encoded.

    Args:
        tables: `wiring.LABELLED` and, to evaluate, `wiring.ONTOLOGY`.
        available: ids of the encoded proteins.
        scoring: settings, where proteins are scored.
        evaluation: settings, where scores are judged.
    """
    from protsae.annotations.labels import LabelTables
    from protsae.probing.judge import Judge, Known

    labels = LabelTables(**{name: tables[name] for name in LABELLED if name != "proteins"})
    ontology = (tables.get(name, pd.DataFrame()) for name in ONTOLOGY)
    known = Known(tables["proteins"], labels, *ontology)
    return Judge(known, set(available), scoring or ScoringConfig(), evaluation or EvaluationConfig())
