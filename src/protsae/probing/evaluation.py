"""Scores judged: AUC, average precision and Fmax per aspect, with intervals over homology clusters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator
from protsae.metrics.bootstrap import cluster_weights, macro_mean, over_resamples, percentile_interval
from protsae.metrics.cafa import PRESET, CafaCurves, propagate_scores
from protsae.metrics.ranking import Ranking
from protsae.metrics.table import metric_records, metrics_table
from protsae.ontology.closure import ancestor_closure
from protsae.ontology.obo import Ontology
from protsae.probing.calibration import fit_calibration
from protsae.probing.config import EvaluationConfig
from protsae.probing.scores import METHODS, SCORED_SPLITS
from protsae.probing.splits import SplitLabels

Floats = NDArray[np.float64]

ASPECTS = ("BPO", "MFO", "CCO")


@dataclass(frozen=True)
class Estimate:
    """One metric of one method on one split and aspect."""

    value: float
    n: int
    """Concepts behind `auc` and `aupr`, proteins behind `fmax`; for aspect `mean` the number of aspects."""
    samples: Floats | None = None
    """The metric in every resample of clusters [n_resamples]; None on splits without intervals."""


@dataclass(frozen=True)
class MethodEvaluation:
    """Everything measured of one method on one split."""

    estimates: dict[tuple[str, str], Estimate]
    """(metric, aspect) to estimate."""
    concepts: pd.DataFrame
    """`concept_idx`, `n_positive`, `auc`, `average_precision`, `n_resamples_left_out`."""


@dataclass(frozen=True)
class Vocabulary:
    """What evaluation needs to know of the concepts."""

    concepts: pd.DataFrame
    """Rows of the `concepts` table, sorted by `concept_idx`: those that are judged, column by column."""
    descendants: list[list[int]]
    """Per concept, the indices of the concepts below it."""

    @classmethod
    def of(cls, concepts: pd.DataFrame, terms: pd.DataFrame, relations: pd.DataFrame) -> "Vocabulary":
        """Close the ontology by CAFA's rules (`is_a` and `part_of` within an aspect) and restrict it to the
        concepts."""
        ordered = concepts.sort_values("concept_idx", ignore_index=True)
        closure = ancestor_closure(Ontology(terms=terms, relations=relations), "cafa")
        rows = closure.index(ordered["concept_id"])
        above = closure.ancestors[rows][:, rows].toarray()
        below = [[int(c) for c in np.flatnonzero(above[:, d]) if c != d] for d in range(len(rows))]
        return cls(ordered, below)

    def columns(self) -> dict[str, NDArray[np.int64]]:
        """Return aspect to the indices of its concepts; `all` has them all. Aspects without concepts are left
        out."""
        aspect = self.concepts["aspect"].to_numpy()
        others = sorted(set(aspect) - set(ASPECTS))
        by_aspect = {name: np.flatnonzero(aspect == name) for name in (*ASPECTS, *others)}
        return {
            **{name: found for name, found in by_aspect.items() if len(found)},
            "all": np.arange(len(aspect)),
        }


def evaluate_method(
    scores: Floats,
    probabilities: Floats,
    labels: SplitLabels,
    vocabulary: Vocabulary,
    weights: NDArray[np.int64] | None,
) -> MethodEvaluation:
    """Measure one method on one split.

    Args:
        scores: [n, n_concepts], any scale.
        probabilities: the scores calibrated to 0 to 1 [n, n_concepts].
        labels: what is true of the proteins.
        vocabulary: the concepts.
        weights: resamples of clusters [n_resamples, n] for intervals; None: no intervals.
    """
    ranking = Ranking(scores, labels.labels, labels.labelled)
    columns = vocabulary.columns()
    n_concepts = scores.shape[1]
    per_concept = {"auc": ranking.roc_auc(), "aupr": ranking.average_precision()}
    resampled: dict[str, Floats] = {}
    if weights is not None:
        resampled = {
            "auc": over_resamples(ranking.roc_auc, weights, n_concepts),
            "aupr": over_resamples(ranking.average_precision, weights, n_concepts),
        }
    estimates = {
        (metric, aspect): _macro(values[index], resampled[metric][:, index] if resampled else None)
        for metric, values in per_concept.items()
        for aspect, index in columns.items()
    }
    propagated = propagate_scores(probabilities, vocabulary.descendants)
    for aspect, index in columns.items():
        curves = CafaCurves(propagated[:, index], labels.labels[:, index], labels.labelled[:, index])
        best = curves.fmax()
        samples = None if weights is None else curves.fmax_values(weights)
        estimates["fmax", aspect] = Estimate(best.value, best.n_proteins, samples)
    # The mean of the ontology's aspects, as the field reports it; of all aspects where it has none.
    averaged = [name for name in columns if name in ASPECTS] or [name for name in columns if name != "all"]
    for metric in ("auc", "aupr", "fmax"):
        estimates[metric, "mean"] = _mean_of([estimates[metric, aspect] for aspect in averaged])
    left_out = np.isnan(resampled["auc"]).sum(axis=0) if resampled else np.zeros(n_concepts, dtype=np.int64)
    table = pd.DataFrame(
        {
            "concept_idx": vocabulary.concepts["concept_idx"].to_numpy(),
            "n_positive": (labels.labels & labels.labelled).sum(axis=0),
            "auc": per_concept["auc"],
            "average_precision": per_concept["aupr"],
            "n_resamples_left_out": left_out,
        }
    )
    return MethodEvaluation(estimates, table)


def evaluate_all(
    scores: Mapping[str, Mapping[str, Floats]],
    splits: Mapping[str, SplitLabels],
    vocabulary: Vocabulary,
    clusters: Mapping[str, Any],
    config: EvaluationConfig,
) -> dict[tuple[str, str], MethodEvaluation]:
    """Measure every method on validation and test; intervals on test.

    The same resamples serve all methods, so that their differences are paired.

    Args:
        scores: method to split to scores [n, n_concepts].
        splits: labels by split.
        vocabulary: the concepts.
        clusters: protein id to homology cluster.
        config: resamples and their seed.

    Returns:
        (method, split) to evaluation.
    """
    generator = numpy_generator(config.seed, "cluster_bootstrap")
    test_clusters = [str(clusters[protein_id]) for protein_id in splits["test"].protein_ids]
    weights = cluster_weights(test_clusters, config.n_resamples, generator)
    found = {}
    for method, by_split in scores.items():
        validation = splits["validation"]
        calibration = fit_calibration(by_split["validation"], validation.labels, validation.labelled)
        for split in SCORED_SPLITS:
            found[method, split] = evaluate_method(
                by_split[split],
                calibration.probabilities(by_split[split]),
                splits[split],
                vocabulary,
                weights if split == "test" else None,
            )
    return found


def score_metrics(
    evaluations: Mapping[tuple[str, str], MethodEvaluation],
    confidence: float,
    supervision: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return the rows of the metrics table: method, split, then metric and aspect in the order measured.

    Args:
        evaluations: (method, split) to what was measured.
        confidence: share of the resamples inside an interval.
        supervision: method to how it saw labels; None: as `METHODS` says.
    """
    seen = {method: about.supervision for method, about in METHODS.items()} | dict(supervision or {})
    records = [
        record
        for (method, split), evaluation in evaluations.items()
        for (metric, aspect), estimate in evaluation.estimates.items()
        for record in metric_records(
            {metric: estimate.value},
            method=method,
            aspect=aspect,
            split=split,
            n=estimate.n,
            preset=PRESET if metric == "fmax" else "",
            supervision=seen[method],
            intervals=None
            if estimate.samples is None
            else {metric: percentile_interval(estimate.samples, confidence).pair},
        )
    ]
    return metrics_table(records)


def concept_metrics(
    evaluations: Mapping[tuple[str, str], MethodEvaluation], vocabulary: Vocabulary
) -> pd.DataFrame:
    """Return one row per method, split and concept."""
    columns = ["method", "concept_idx", "concept_id", "name", "aspect", "split", "n_positive", "auc"]
    columns += ["average_precision", "n_resamples_left_out"]
    about = vocabulary.concepts[["concept_idx", "concept_id", "name", "aspect"]]
    tables = [
        evaluation.concepts.merge(about, on="concept_idx").assign(method=method, split=split)
        for (method, split), evaluation in evaluations.items()
    ]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def scores_by_method(
    concept_scores: pd.DataFrame, splits: Mapping[str, SplitLabels], columns: NDArray[np.int64]
) -> dict[str, dict[str, Floats]]:
    """Return method to split to scores [n, n_concepts] from the long table.

    Raises:
        InputError: a method does not score every concept of every protein exactly once.
    """
    found: dict[str, dict[str, Floats]] = {}
    for method, table in concept_scores.groupby("method", sort=False):
        found[str(method)] = {}
        for split in SCORED_SPLITS:
            ids = pd.Index(splits[split].protein_ids)
            row = ids.get_indexer(pd.Index(table["protein_id"]))
            here = table[row >= 0]
            matrix = np.full((len(ids), len(columns)), np.nan)
            column = pd.Index(columns).get_indexer(pd.Index(here["concept_idx"]))
            matrix[row[row >= 0], column] = here["score"].to_numpy()
            if len(here) != matrix.size or np.isnan(matrix).any():
                raise InputError(
                    f"concept_scores: method {method} has {len(here)} scores of the {split} split, "
                    f"not one for each of {len(ids)} proteins x {len(columns)} concepts; score again"
                )
            found[str(method)][split] = matrix
    return found


def _macro(values: Floats, resampled: Floats | None) -> Estimate:
    mean, left_out = macro_mean(values)
    samples = None if resampled is None else macro_mean(resampled)[0]
    return Estimate(float(mean), len(values) - int(left_out), samples)


def _mean_of(parts: list[Estimate]) -> Estimate:
    """Average over aspects; a resample in which an aspect has no value has no mean."""
    samples = [part.samples for part in parts if part.samples is not None]
    return Estimate(
        float(np.mean([part.value for part in parts])),
        len(parts),
        np.mean(samples, axis=0) if samples else None,
    )
