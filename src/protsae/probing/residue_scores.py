"""Concepts of residues judged residue by residue: do defined latents fire where the concept is?

A motif latent says little if knowing the amino acid says as much, so residue identity is scored too.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.core.splits import HELD_OUT
from protsae.encoding.codes import CodeStore
from protsae.encoding.run import Run
from protsae.metrics.association import ResidueTruth
from protsae.metrics.ranking import Ranking
from protsae.metrics.table import by_aspect, concat_metrics, metrics_table
from protsae.probing.config import EvaluationConfig
from protsae.probing.estimates import Key, estimate_rows, macro
from protsae.probing.labelled import LabelledProteins

STRATUM = "residues"
FLOORS = {"residue_identity": "probe", "prevalence": "none"}
"""Methods without a dictionary, and how each saw labels. `residue_identity` is the share of positives among
the training residues of the same amino acid, `prevalence` among all of them."""
CONCEPT_COLUMNS = (
    "method",
    "concept_idx",
    "concept_id",
    "name",
    "aspect",
    "split",
    "n_residues",
    "n_positive",
    "auc",
    "average_precision",
)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ResidueSplit:
    """All residues of some proteins, one after another, and the truth about them."""

    labels: NDArray[np.bool_]
    """Carried concepts [n_residues, n_concepts]."""
    labelled: NDArray[np.bool_]
    """Where that is known [n_residues, n_concepts]."""
    protein: NDArray[np.int64]
    """Position of each residue's protein [n_residues]."""
    letters: NDArray[np.uint8]
    """Character codes [n_residues]."""

    @classmethod
    def of(cls, truth: ResidueTruth, letters: NDArray[np.uint8]) -> "ResidueSplit":
        """Lay out what is known of some proteins residue by residue."""
        protein = np.repeat(np.arange(len(truth.known)), np.diff(truth.first_row))
        return cls(*truth.dense(), protein, letters)


def evaluate_residues(
    codes: CodeStore, proteins: LabelledProteins, config: EvaluationConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every residue of validation and test for the concepts of residues.

    Args:
        codes: those of a guided dictionary.
        proteins: proteins with activations, and what they carry.
        config: resamples and their seed.

    Returns:
        Rows of the metrics table (stratum `residues`, macro means per aspect and over `all`, intervals over
        homology clusters on test), and one row per method, split and concept in `CONCEPT_COLUMNS`. Both
        empty where there are no such concepts.
    """
    codes.dictionary.require_concepts(proteins.concepts)
    columns = proteins.of_residues
    if not len(columns):
        return metrics_table([]), pd.DataFrame(columns=list(CONCEPT_COLUMNS))
    concepts = proteins.concepts.iloc[columns]

    def lined_up(split: str) -> ResidueSplit:
        return ResidueSplit.of(proteins.truth(split), proteins.letters_of(proteins.ids[split]))

    rates = identity_rates(lined_up("train"))
    found, per_concept = [], []
    for name in HELD_OUT:
        split = lined_up(name)
        scores = encoded_scores(codes, proteins, name)
        scores["residue_identity"] = rates.by_letter[split.letters]
        scores["prevalence"] = np.broadcast_to(rates.overall, split.labels.shape)
        weights = proteins.resamples(config.n_resamples, config.seed) if name == "test" else None
        for method, values in scores.items():
            areas = concept_areas(values, split, weights)
            per_concept.append(_concept_rows(areas, split, concepts).assign(method=method, split=name))
            settings = codes.run, config.confidence
            found.append(_metric_rows(areas, concepts["aspect"], method, name, *settings))
    table = pd.concat(per_concept, ignore_index=True)[list(CONCEPT_COLUMNS)]
    return concat_metrics(found), table


@dataclass(frozen=True)
class Rates:
    """Shares of positives among labelled training residues."""

    by_letter: Floats
    """[256, n_concepts], by character code; the overall share for letters that training lacks."""
    overall: Floats
    """[n_concepts]."""


def identity_rates(train: ResidueSplit) -> Rates:
    """Return how often the residues of each amino acid carry each concept."""
    positive = train.labels & train.labelled
    n_known, n_positive = np.zeros((2, 256, train.labels.shape[1]))
    for letter in np.unique(train.letters):
        here = train.letters == letter
        n_known[letter], n_positive[letter] = train.labelled[here].sum(axis=0), positive[here].sum(axis=0)
    overall = n_positive.sum(axis=0) / np.maximum(n_known.sum(axis=0), 1)
    return Rates(np.where(n_known > 0, n_positive / np.maximum(n_known, 1), overall), overall)


def encoded_scores(codes: CodeStore, proteins: LabelledProteins, split: str) -> dict[str, Floats]:
    """Return latents and logits of the concepts of residues, each [n_residues, n_concepts], proteins by id.

    Raises:
        InputError: the dictionary has no logits of these concepts, or a protein is not stored whole.
    """
    columns, ids = proteins.of_residues, proteins.ids[split]
    if codes.dictionary.residue_concepts != tuple(columns.tolist()):
        raise InputError(
            f"{codes.root} holds logits of other concepts of residues than the table of concepts names: "
            "train and encode again"
        )
    lengths = proteins.lengths(ids)
    codes.require_whole(lengths)
    ends = dict(zip(ids, np.cumsum(list(lengths.values())).tolist(), strict=True))
    place = np.full(codes.n_latents, -1)
    place[columns] = np.arange(len(columns))
    latents = np.zeros((sum(lengths.values()), len(columns)))
    for names, part in codes.read(ids):
        rows = np.concatenate([np.arange(ends[name] - lengths[name], ends[name]) for name in names])
        column = place[part.latents]
        is_scored = column >= 0
        row = np.repeat(rows, np.diff(part.indptr))[is_scored]
        latents[row, column[is_scored]] = part.values[is_scored]
    name = codes.run.method
    return {f"{name}_latent": latents, f"{name}_predictor": codes.logits(ids).astype(np.float64)}


@dataclass(frozen=True)
class ConceptAreas:
    """Metrics of one method, per concept."""

    values: dict[str, Floats]
    """Metric to values [n_concepts]."""
    samples: dict[str, Floats] | None
    """Metric to resampled values [n_resamples, n_concepts]; None without intervals."""


def concept_areas(scores: Floats, split: ResidueSplit, weights: NDArray[np.int64] | None) -> ConceptAreas:
    """Measure scores [n_residues, n_concepts] concept by concept, so that memory stays bounded.

    Args:
        scores: any scale.
        split: the truth.
        weights: resamples of the proteins [n_resamples, n_proteins]; None: no intervals.
    """
    values: dict[str, list[float]] = {"auc": [], "aupr": []}
    samples: dict[str, list[Floats]] = {"auc": [], "aupr": []}
    for column in range(scores.shape[1]):
        at = slice(column, column + 1)
        ranking = Ranking(scores[:, at], split.labels[:, at], split.labelled[:, at], split.protein)
        for metric, found in zip(values, ranking.areas(), strict=True):
            values[metric].append(float(found[0]))
        if weights is not None:
            for metric, resampled in zip(samples, ranking.areas(weights), strict=True):
                samples[metric].append(resampled[:, 0])
    return ConceptAreas(
        {metric: np.array(found) for metric, found in values.items()},
        None if weights is None else {metric: np.stack(found, axis=1) for metric, found in samples.items()},
    )


def _concept_rows(scores: ConceptAreas, split: ResidueSplit, concepts: pd.DataFrame) -> pd.DataFrame:
    about = concepts[["concept_idx", "concept_id", "name", "aspect"]].reset_index(drop=True)
    return about.assign(
        n_residues=split.labelled.sum(axis=0),
        n_positive=(split.labels & split.labelled).sum(axis=0),
        auc=scores.values["auc"],
        average_precision=scores.values["aupr"],
    )


def _metric_rows(
    scores: ConceptAreas, aspects: pd.Series, method: str, split: str, run: Run, confidence: float
) -> pd.DataFrame:
    estimates = {}
    for aspect, inside in by_aspect(aspects):
        for metric, values in scores.values.items():
            samples = None if scores.samples is None else scores.samples[metric][:, inside]
            estimates[Key(metric, aspect, "", STRATUM)] = macro(values[inside], samples)
    rows = estimate_rows(method, split, estimates, confidence, FLOORS.get(method, "training"))
    return rows.assign(**({} if method in FLOORS else run.settings))
