"""Concepts of residues judged residue by residue: do defined latents fire where the concept is?

A motif latent says little if knowing the amino acid says as much, and a region of similar proteins is known
from the position alone, so both are scored too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
FLOORS = {"residue_identity": "probe", "position": "probe", "prevalence": "none"}
"""Methods without a dictionary, and how each saw labels. `residue_identity` is the share of positives among
the training residues of the same amino acid, `position` among those as far from the same end of their
protein, `prevalence` among all of them."""
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
    from_start: NDArray[np.int64]
    """Residues before each in its protein [n_residues]."""
    from_end: NDArray[np.int64]
    """Residues after each in its protein [n_residues]."""

    @classmethod
    def of(cls, truth: ResidueTruth, letters: NDArray[np.uint8]) -> "ResidueSplit":
        """Lay out what is known of some proteins residue by residue."""
        protein = np.repeat(np.arange(len(truth.known)), np.diff(truth.first_row))
        row, first = np.arange(len(protein)), truth.first_row
        ends = row - first[protein], first[protein + 1] - 1 - row
        return cls(*truth.dense(), protein, letters, *ends)


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

    held_out = {name: lined_up(name) for name in HELD_OUT}
    floors = floor_scores(lined_up("train"), held_out)
    found, per_concept = [], []
    for name, split in held_out.items():
        scores = encoded_scores(codes, proteins, name) | floors[name]
        weights = proteins.resamples(config.n_resamples, config.seed) if name == "test" else None
        for method, values in scores.items():
            areas = concept_areas(values, split, weights)
            per_concept.append(_concept_rows(areas, split, concepts).assign(method=method, split=name))
            settings = codes.run, config.confidence
            found.append(_metric_rows(areas, concepts["aspect"], method, name, *settings))
    table = pd.concat(per_concept, ignore_index=True)[list(CONCEPT_COLUMNS)]
    return concat_metrics(found), table


def floor_scores(train: ResidueSplit, held_out: Mapping[str, ResidueSplit]) -> dict[str, dict[str, Floats]]:
    """Return held-out split to method of `FLOORS` to scores [n_residues, n_concepts].

    For `position`, the end of the protein that residues are counted from is, for each concept, the one with
    the higher AUC on validation; the start on ties.
    """
    validation = held_out["validation"]
    by_letter, by_start, by_end = (
        shares_by(train, group) for group in (train.letters, train.from_start, train.from_end)
    )
    aucs = [
        np.nan_to_num(concept_areas(scores, validation, None).values["auc"], nan=0.5)
        for scores in (by_start(validation.from_start), by_end(validation.from_end))
    ]
    found = {}
    for name, split in held_out.items():
        scores = (
            by_letter(split.letters),
            np.where(aucs[0] >= aucs[1], by_start(split.from_start), by_end(split.from_end)),
            np.broadcast_to(by_letter.overall, split.labels.shape),
        )
        found[name] = dict(zip(FLOORS, scores, strict=True))
    return found


@dataclass(frozen=True)
class Shares:
    """Shares of positives among labelled training residues."""

    of_group: Floats
    """[n_groups + 1, n_concepts]: the overall share for groups that training lacks, and in the last row."""

    @property
    def overall(self) -> Floats:
        """Shares among all residues [n_concepts]."""
        last: Floats = self.of_group[-1]
        return last

    def __call__(self, group: NDArray[np.integer[Any]]) -> Floats:
        """Return the shares of the groups of some residues [n_residues, n_concepts]."""
        found: Floats = self.of_group[np.minimum(group, len(self.of_group) - 1)]
        return found


def shares_by(train: ResidueSplit, group: NDArray[np.integer[Any]]) -> Shares:
    """Return how often the residues of each group [n_residues], such as an amino acid, carry each concept."""
    n_groups = int(group.max(initial=0)) + 1
    n_known, n_positive = (
        np.stack([np.bincount(group[of], minlength=n_groups + 1) for of in mask.T], axis=1)
        for mask in (train.labelled, train.labels & train.labelled)
    )
    overall = n_positive.sum(axis=0) / np.maximum(n_known.sum(axis=0), 1)
    return Shares(np.where(n_known > 0, n_positive / np.maximum(n_known, 1), overall))


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
