"""Scores judged: ranking and protein-centric metrics per aspect, with intervals over homology clusters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator
from protsae.core.splits import HELD_OUT
from protsae.metrics.bootstrap import cluster_weights
from protsae.metrics.cafa import PresetName, ProteinCurves, propagate_scores
from protsae.metrics.ranking import Ranking
from protsae.probing.calibration import fit_calibration
from protsae.probing.config import EvaluationConfig
from protsae.probing.estimates import (
    Estimate,
    Key,
    MethodEvaluation,
    macro,
    mean_of,
)
from protsae.probing.splits import SplitLabels
from protsae.probing.vocabulary import Vocabulary
from protsae.sequences.bands import STRATA, stratum

Floats = NDArray[np.float64]
Weights = NDArray[np.int64] | None
Measured = dict[Key, Estimate]


def evaluate_method(
    scores: Floats,
    probabilities: Floats,
    labels: SplitLabels,
    vocabulary: Vocabulary,
    weights: Weights,
    *,
    presets: Sequence[PresetName] = ("cafa",),
    strata: Mapping[str, NDArray[np.bool_]] | None = None,
) -> MethodEvaluation:
    """Measure one method on one split.

    Args:
        scores: [n, n_concepts], any scale.
        probabilities: the scores calibrated to 0 to 1 [n, n_concepts].
        labels: what is true of the proteins.
        vocabulary: the concepts.
        weights: resamples of clusters [n_resamples, n] for intervals; None: no intervals.
        presets: rules of the protein-centric metrics; strata are measured by the first only.
        strata: parts of the split, by name: which proteins [n].
    """
    ranking = Ranking(scores, labels.labels, labels.labelled)
    values = ranking.areas()
    resampled = None if weights is None else ranking.areas(weights)
    found = _ranked(values, resampled, vocabulary, "")
    for preset in presets:
        found |= _protein_centric(probabilities, labels, vocabulary, weights, preset, "")
    for name, inside in (strata or {}).items():
        part, own = labels.of_proteins(inside), None if weights is None else weights[:, inside]
        ranking = Ranking(scores[inside], part.labels, part.labelled)
        found |= _ranked(ranking.areas(), None if own is None else ranking.areas(own), vocabulary, name)
        found |= _protein_centric(probabilities[inside], part, vocabulary, own, presets[0], name)
    table = pd.DataFrame(
        {
            "concept_idx": vocabulary.concepts["concept_idx"].to_numpy(),
            "n_positive": (labels.labels & labels.labelled).sum(axis=0),
            "auc": values[0],
            "average_precision": values[1],
            "n_resamples_left_out": 0 if resampled is None else np.isnan(resampled[0]).sum(axis=0),
        }
    )
    return MethodEvaluation(found, table)


def evaluate_all(
    scores: Mapping[str, Mapping[str, Floats]],
    splits: Mapping[str, SplitLabels],
    vocabulary: Vocabulary,
    clusters: Mapping[str, Any],
    config: EvaluationConfig,
    bands: Mapping[str, str] | None = None,
) -> dict[tuple[str, str], MethodEvaluation]:
    """Measure every method on validation and test; intervals and strata on test.

    The same resamples serve all methods, so that their differences are paired.

    Args:
        scores: method to split to scores [n, n_concepts].
        splits: labels by split.
        vocabulary: the concepts.
        clusters: protein id to homology cluster.
        config: presets, resamples and their seed.
        bands: protein id to the name of its stratum, for those that are in one.

    Returns:
        (method, split) to evaluation.
    """
    generator = numpy_generator(config.seed, "cluster_bootstrap")
    test_ids = splits["test"].protein_ids
    test_clusters = [str(clusters[protein_id]) for protein_id in test_ids]
    weights = cluster_weights(test_clusters, config.n_resamples, generator)
    of_test = np.array([(bands or {}).get(protein_id, "") for protein_id in test_ids], dtype=object)
    names = [name for name in dict.fromkeys((bands or {}).values()) if name]
    strata = {name: of_test == name for name in names if (of_test == name).sum() >= config.min_stratum}
    found = {}
    for method, by_split in scores.items():
        validation = splits["validation"]
        calibration = fit_calibration(by_split["validation"], validation.labels, validation.labelled)
        for split in HELD_OUT:
            found[method, split] = evaluate_method(
                by_split[split],
                calibration.probabilities(by_split[split]),
                splits[split],
                vocabulary,
                weights if split == "test" else None,
                presets=config.presets,
                strata=strata if split == "test" else None,
            )
    return found


def homology_strata(proteins: pd.DataFrame) -> dict[str, str]:
    """Return the stratum (`bands.STRATA`) of every protein that was searched among the training proteins.

    Args:
        proteins: the `proteins` table: `protein_id`, `is_audited`, `nearest_train_identity`,
            `nearest_train_coverage`.
    """
    audited = proteins[proteins["is_audited"]]
    nearest = zip(audited["nearest_train_identity"], audited["nearest_train_coverage"], strict=True)
    found = zip(audited["protein_id"], (stratum(*values) for values in nearest), strict=True)
    return dict(sorted(found, key=lambda pair: STRATA.index(pair[1])))


def scores_by_method(
    concept_scores: pd.DataFrame, splits: Mapping[str, SplitLabels], columns: NDArray[np.int64]
) -> dict[str, dict[str, NDArray[np.floating[Any]]]]:
    """Return method to split to scores [n, n_concepts] from the long table.

    Raises:
        InputError: a method does not score every concept of every protein exactly once.
    """
    found: dict[str, dict[str, NDArray[np.floating[Any]]]] = {}
    for method, table in concept_scores.groupby("method", sort=False):
        found[str(method)] = {}
        for split in HELD_OUT:
            ids = pd.Index(splits[split].protein_ids)
            row = ids.get_indexer(pd.Index(table["protein_id"]))
            here = table[row >= 0]
            matrix = np.full((len(ids), len(columns)), np.nan)
            column = pd.Index(columns).get_indexer(pd.Index(here["concept_idx"]))
            matrix[row[row >= 0], column] = here["score"].to_numpy()
            if len(here) != matrix.size or np.isnan(matrix).any():
                raise InputError(
                    f"scores of proteins: method {method} has {len(here)} scores of the {split} split, "
                    f"not one for each of {len(ids)} proteins x {len(columns)} concepts; score again"
                )
            found[str(method)][split] = matrix
    return found


def _ranked(
    values: tuple[Floats, Floats],
    resampled: tuple[Floats, Floats] | None,
    vocabulary: Vocabulary,
    stratum: str,
) -> Measured:
    """Average AUC and average precision [n_concepts] over the concepts that count; say how many of these are
    independent of each other."""
    found: Measured = {}
    for place, metric in enumerate(("auc", "aupr")):
        for aspect, index in vocabulary.representatives().items():
            samples = None if resampled is None else resampled[place][:, index]
            found[Key(metric, aspect, "", stratum)] = macro(values[place][index], samples)
        averaged = [found[Key(metric, aspect, "", stratum)] for aspect in vocabulary.averaged()]
        found[Key(metric, "mean", "", stratum)] = mean_of(averaged)
    if not stratum:
        for aspect, index in vocabulary.representatives().items():
            number = vocabulary.once.n_effective(index)
            found[Key("n_effective_concepts", aspect)] = Estimate(number, len(index))
    return found


def _protein_centric(
    probabilities: Floats,
    labels: SplitLabels,
    vocabulary: Vocabulary,
    weights: Weights,
    preset: PresetName,
    stratum: str,
) -> Measured:
    """Measure calibrated scores by the rules of a preset; scores and labels propagate along its relations."""
    below, information = vocabulary.below[preset], vocabulary.information(preset)
    scores = propagate_scores(probabilities, below)
    truth = propagate_scores(labels.labels & labels.labelled, below).astype(bool)
    labelled = labels.labelled | truth
    found: Measured = {}
    for aspect, index in vocabulary.columns().items():
        arguments = scores[:, index], truth[:, index], labelled[:, index]
        curves = ProteinCurves(*arguments, information=information[index], preset=preset)
        samples = {} if weights is None else curves.values(weights)
        best = curves.fmax()
        for metric, value in curves.values().items():
            estimate = Estimate(float(value), best.n_proteins, samples.get(metric))
            found[Key(metric, aspect, preset, stratum)] = estimate
        found[Key("fmax_threshold", aspect, preset, stratum)] = Estimate(best.threshold, best.n_proteins)
        pooled = Ranking.pooled(*arguments)
        resampled = None if weights is None else pooled.average_precision(weights)[:, 0]
        micro = Estimate(float(pooled.average_precision()[0]), int(arguments[2].sum()), resampled)
        found[Key("aupr_micro", aspect, preset, stratum)] = micro
    for metric in dict.fromkeys(key.metric for key in found):
        if metric != "fmax_threshold":
            parts = [found[Key(metric, aspect, preset, stratum)] for aspect in vocabulary.averaged()]
            found[Key(metric, "mean", preset, stratum)] = mean_of(parts)
    return found
