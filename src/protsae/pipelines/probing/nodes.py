"""Nodes of the probing pipeline: from encoded proteins to scores, and what scores are worth."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.plm import load_plm
from protsae.probing.config import (
    ComparisonConfig,
    EncodingConfig,
    EvaluationConfig,
    NeighbourConfig,
    Pair,
    RandomPlmConfig,
    ScoringConfig,
)

Judged = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


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
    from protsae.probing.encoding import require_same_concepts
    from protsae.probing.judge import score_table

    require_same_concepts(sae_checkpoint, tables["concepts"])
    judge = _judge(tables, encoding["protein_id"], scoring=scoring)
    scores = judge.score_dictionary(sae_checkpoint.name, encoding, guided=sae_checkpoint.n_defined > 0)
    return score_table(scores, judge)


def score_references(
    mean_activations: pd.DataFrame,
    neighbours: pd.DataFrame,
    random_mean_activations: pd.DataFrame,
    *,
    scoring: ScoringConfig,
    **tables: pd.DataFrame,
) -> pd.DataFrame:
    """Score the same proteins by what needs no dictionary: probes on activations of the language model and of
    one with random weights, shuffled labels, prevalence, composition, neighbours.

    Args:
        mean_activations: of every protein.
        neighbours: training proteins most like it.
        random_mean_activations: of the model with random weights.
        scoring: strengths of the probes.
        tables: see `_judge`.
    """
    from protsae.probing.judge import score_table

    judge = _judge(tables, mean_activations["protein_id"], scoring=scoring)
    scores = judge.score_references(mean_activations, neighbours, random_mean_activations)
    return score_table(scores, judge)


def evaluate_dictionary(
    concept_scores: pd.DataFrame,
    encoding: pd.DataFrame,
    sae_checkpoint: Any,
    *,
    evaluation: EvaluationConfig,
    **tables: pd.DataFrame,
) -> Judged:
    """Judge a dictionary's scores per aspect, with intervals over homology clusters, and per concept.

    Returns:
        Rows of the metrics table, one row per concept, and all estimates resample by resample.
    """
    from protsae.probing.encoding import Run
    from protsae.probing.judge import about_dictionary, scores_of

    judge = _judge(tables, encoding["protein_id"], evaluation=evaluation)
    scores = scores_of(concept_scores, judge)
    found = judge.judge(scores, about_dictionary(Run.of(sae_checkpoint), scores))
    return found.rows(evaluation.confidence), found.concepts(judge.vocabulary), found.estimates()


def evaluate_references(
    concept_scores: pd.DataFrame,
    mean_activations: pd.DataFrame,
    *,
    hook_point: str,
    evaluation: EvaluationConfig,
    **tables: pd.DataFrame,
) -> Judged:
    """Judge the scores of references in the same way."""
    from protsae.probing.judge import about_references, scores_of

    judge = _judge(tables, mean_activations["protein_id"], evaluation=evaluation)
    scores = scores_of(concept_scores, judge)
    found = judge.judge(scores, about_references(hook_point, scores))
    return found.rows(evaluation.confidence), found.concepts(judge.vocabulary), found.estimates()


def compare_methods(
    differences: tuple[Pair, ...],
    comparison: ComparisonConfig,
    evaluation: EvaluationConfig,
    **parts: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare methods in pairs, on the same resamples of homology clusters.

    Args:
        differences: the pairs.
        comparison: subject and rival.
        evaluation: width of the intervals.
        parts: `estimates` and `concept_metrics` of every dictionary and of the references.

    Returns:
        Rows of the metrics table, and all scores concept by concept.
    """
    from protsae.pipelines.wiring import parts_of
    from protsae.probing.judge import differences as paired

    estimates = pd.concat(list(parts_of(parts, "estimates").values()), ignore_index=True)
    concepts = pd.concat(list(parts_of(parts, "concept_metrics").values()), ignore_index=True)
    return paired(estimates, differences, comparison, evaluation.confidence), concepts


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
    config: EvaluationConfig,
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


def collect_residue_scores(**parts: pd.DataFrame) -> pd.DataFrame:
    """Stack scores of residues concept by concept; floors, which all dictionaries share, once."""
    from protsae.probing.residue_scores import CONCEPT_COLUMNS

    tables = [pd.DataFrame(columns=list(CONCEPT_COLUMNS)), *parts.values()]
    filled = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(filled, ignore_index=True).drop_duplicates(ignore_index=True)


def measure_subsumption(sae_checkpoint: Any, axioms: pd.DataFrame, concepts: pd.DataFrame) -> pd.DataFrame:
    """Measure how well the predictor's geometry (of a `SaeCheckpoint`) obeys the ontology."""
    from protsae.probing.collect import subsumption_rows
    from protsae.probing.encoding import Run

    return subsumption_rows(sae_checkpoint.load(), Run.of(sae_checkpoint), axioms, concepts)


def _judge(
    tables: dict[str, pd.DataFrame],
    available: pd.Series,
    scoring: ScoringConfig | None = None,
    evaluation: EvaluationConfig | None = None,
) -> Any:
    """Return the `judge.Judge` of proteins that were encoded.

    Args:
        tables: `proteins`, `concepts`, `protein_labels`, `labelled_aspects` and, to evaluate, `concept_terms`
            and `concept_relations`.
        available: ids of the encoded proteins.
        scoring: settings, where proteins are scored.
        evaluation: settings, where scores are judged.
    """
    from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
    from protsae.probing.judge import Judge, Known

    labels = LabelTables(
        tables["concepts"],
        tables["protein_labels"],
        tables["labelled_aspects"],
        pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)),
    )
    ontology = (tables.get(name, pd.DataFrame()) for name in ("concept_terms", "concept_relations"))
    known = Known(tables["proteins"], labels, *ontology)
    return Judge(known, set(available), scoring or ScoringConfig(), evaluation or EvaluationConfig())
