"""Concepts of residues judged residue by residue: do defined latents fire where the concept is?

A motif latent says little if knowing the amino acid says as much, so residue identity stands beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from protsae.annotations.labels import LabelTables, ResidueLabels
from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator
from protsae.metrics.bootstrap import cluster_weights, macro_mean, percentile_interval
from protsae.metrics.ranking import Ranking
from protsae.metrics.table import concat_metrics, metric_rows, metrics_table
from protsae.probing.batches import ProteinSource, protein_batches
from protsae.probing.config import EvaluationConfig
from protsae.probing.encoding import Run, require_same_concepts
from protsae.probing.scores import SCORED_SPLITS
from protsae.sae.protsae import ProtSae

STRATUM = "residues"
SUPERVISION = {
    "protsae_latent": "training",
    "protsae_predictor": "training",
    "residue_identity": "probe",
    "prevalence": "none",
}
"""Rows of residue scores, and how each saw labels. `residue_identity` is the share of positives among the
training residues of the same amino acid, `prevalence` among all of them."""
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

    protein_ids: list[str]
    labels: NDArray[np.bool_]
    """[n_residues, n_concepts]."""
    labelled: NDArray[np.bool_]
    """[n_proteins, n_concepts]."""
    protein: NDArray[np.int64]
    """Position of each residue's protein [n_residues]."""
    letters: NDArray[np.uint8]
    """Character codes [n_residues]."""

    @classmethod
    def of(
        cls,
        protein_ids: list[str],
        sequences: Mapping[str, str],
        tables: LabelTables,
        columns: NDArray[np.int64],
    ) -> "ResidueSplit":
        """Line up the residues of `protein_ids` and the labels of the concepts `columns`."""
        lengths = {name: len(sequences[name]) for name in protein_ids}
        # Only these concepts' columns are ever dense: a table of all of them would be many times larger.
        column = pd.Index(columns).get_indexer(pd.Index(tables.residue_labels["concept_idx"]))
        spans = tables.residue_labels.assign(concept_idx=column)[column >= 0]
        index = ResidueLabels.of(spans, protein_ids, lengths)
        protein = np.repeat(np.arange(len(protein_ids)), np.diff(index.first_row))
        within = np.arange(len(protein)) - index.first_row[protein]
        labels = index.dense(protein, within, len(columns)) > 0
        _, labelled = tables.matrix(protein_ids)
        text = "".join(sequences[name] for name in protein_ids)
        letters = np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8)
        return cls(protein_ids, labels, labelled[:, columns], protein, letters)


def evaluate_residues(
    source: ProteinSource,
    sae: ProtSae,
    run: Run,
    *,
    proteins: pd.DataFrame,
    tables: LabelTables,
    residues_per_batch: int,
    config: EvaluationConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every residue of validation and test for the concepts of residues.

    Args:
        source: stored activations.
        sae: the guided dictionary.
        run: what to write into the metrics rows.
        proteins: `protein_id`, `sequence`, `split`, `cluster_id`; those with activations.
        tables: concepts and what carries them.
        residues_per_batch: bounds memory.
        config: resamples and their seed.

    Returns:
        Rows of the metrics table (stratum `residues`, macro means per aspect and over `all`, intervals over
        homology clusters on test), and one row per method, split and concept in `CONCEPT_COLUMNS`. Both
        empty where there are no such concepts.
    """
    require_same_concepts(sae, tables.concepts)
    columns = np.flatnonzero(tables.is_residue_level)
    if not len(columns):
        return metrics_table([]), pd.DataFrame(columns=list(CONCEPT_COLUMNS))
    concepts = tables.concepts.sort_values("concept_idx", ignore_index=True).iloc[columns]
    sequences = dict(zip(proteins["protein_id"], proteins["sequence"], strict=True))
    cluster_of = dict(zip(proteins["protein_id"], proteins["cluster_id"], strict=True))

    def lined_up(split: str) -> ResidueSplit:
        names = sorted(proteins.loc[proteins["split"] == split, "protein_id"])
        return ResidueSplit.of(names, sequences, tables, columns)

    rates = identity_rates(lined_up("train"))
    found, per_concept = [], []
    for name in SCORED_SPLITS:
        split = lined_up(name)
        scores = encoded_scores(source, sae, run.hook_point, split, name, columns, residues_per_batch)
        scores["residue_identity"] = rates.by_letter[split.letters]
        scores["prevalence"] = np.broadcast_to(rates.overall, split.labels.shape)
        weights = None
        if name == "test":
            clusters = [cluster_of[protein_id] for protein_id in split.protein_ids]
            generator = numpy_generator(config.seed, "cluster_bootstrap")
            weights = cluster_weights(clusters, config.n_resamples, generator)
        for method, values in scores.items():
            judged = judge(values, split, weights)
            per_concept.append(_concept_rows(judged, split, concepts).assign(method=method, split=name))
            found += _metric_tables(judged, concepts["aspect"], method, name, run, config.confidence)
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
    known = train.labelled[train.protein]
    positive = train.labels & known
    n_known, n_positive = np.zeros((256, known.shape[1])), np.zeros((256, known.shape[1]))
    np.add.at(n_known, train.letters, known)
    np.add.at(n_positive, train.letters, positive)
    overall = n_positive.sum(axis=0) / np.maximum(n_known.sum(axis=0), 1)
    return Rates(np.where(n_known > 0, n_positive / np.maximum(n_known, 1), overall), overall)


@torch.inference_mode()
def encoded_scores(
    source: ProteinSource,
    sae: ProtSae,
    hook_point: str,
    split: ResidueSplit,
    split_name: str,
    columns: NDArray[np.int64],
    residues_per_batch: int,
) -> dict[str, Floats]:
    """Return latents and logits of the concepts `columns`, each [n_residues, n_concepts].

    Raises:
        InputError: a protein's sequence is not as long as its activations.
    """
    ends = np.cumsum(np.bincount(split.protein, minlength=len(split.protein_ids))).tolist()
    place = dict(zip(split.protein_ids, zip([0, *ends], ends, strict=False), strict=True))
    latents = np.full(split.labels.shape, np.nan)
    logits = np.full(split.labels.shape, np.nan)
    split_of = dict.fromkeys(split.protein_ids, split_name)
    for batch in protein_batches(source, hook_point, split_of, residues_per_batch):
        for target, values in (
            (latents, sae.encode(batch.x)[:, columns]),
            (logits, sae.predictor_logits(batch.x)[:, columns]),
        ):
            for protein_id, piece in batch.pieces(values):
                begin, end = place[protein_id]
                if end - begin != len(piece):
                    raise InputError(
                        f"{protein_id} has {end - begin} residues but activations of {len(piece)}: scores of "
                        "residues need all of them. Extract again, with residues_per_protein null and "
                        "long_sequences window or full"
                    )
                target[begin:end] = piece.numpy()
    return {"protsae_latent": latents, "protsae_predictor": logits}


@dataclass(frozen=True)
class Judged:
    """Metrics of one method, per concept."""

    values: dict[str, Floats]
    """Metric to values [n_concepts]."""
    samples: dict[str, Floats] | None
    """Metric to resampled values [n_resamples, n_concepts]; None without intervals."""


def judge(scores: Floats, split: ResidueSplit, weights: NDArray[np.int64] | None) -> Judged:
    """Measure scores [n_residues, n_concepts] concept by concept, so that memory stays bounded.

    Args:
        scores: any scale.
        split: the truth.
        weights: resamples of the proteins [n_resamples, n_proteins]; None: no intervals.
    """
    known = split.labelled[split.protein]
    values: dict[str, list[float]] = {"auc": [], "aupr": []}
    samples: dict[str, list[Floats]] = {"auc": [], "aupr": []}
    for column in range(scores.shape[1]):
        at = slice(column, column + 1)
        ranking = Ranking(scores[:, at], split.labels[:, at], known[:, at], split.protein)
        for metric, found in zip(values, ranking.areas(), strict=True):
            values[metric].append(float(found[0]))
        if weights is not None:
            for metric, resampled in zip(samples, ranking.areas(weights), strict=True):
                samples[metric].append(resampled[:, 0])
    return Judged(
        {metric: np.array(found) for metric, found in values.items()},
        None if weights is None else {metric: np.stack(found, axis=1) for metric, found in samples.items()},
    )


def _concept_rows(judged: Judged, split: ResidueSplit, concepts: pd.DataFrame) -> pd.DataFrame:
    known = split.labelled[split.protein]
    about = concepts[["concept_idx", "concept_id", "name", "aspect"]].reset_index(drop=True)
    return about.assign(
        n_residues=known.sum(axis=0),
        n_positive=(split.labels & known).sum(axis=0),
        auc=judged.values["auc"],
        average_precision=judged.values["aupr"],
    )


def _metric_tables(
    judged: Judged, aspects: pd.Series, method: str, split: str, run: Run, confidence: float
) -> list[pd.DataFrame]:
    of_run = method.startswith("protsae")
    groups: Sequence[tuple[str, NDArray[np.bool_]]] = [
        (name, (aspects == name).to_numpy()) for name in sorted(aspects.unique())
    ]
    tables = []
    for aspect, inside in [*groups, ("all", np.ones(len(aspects), dtype=bool))]:
        for metric, values in judged.values.items():
            mean, left_out = macro_mean(values[inside])
            intervals = None
            if judged.samples is not None:
                means, _ = macro_mean(judged.samples[metric][:, inside])
                intervals = {metric: percentile_interval(means, confidence).pair}
            tables.append(
                metric_rows(
                    {metric: float(mean)},
                    method=method,
                    aspect=aspect,
                    split=split,
                    n=int(inside.sum() - left_out),
                    seed=run.seed if of_run else None,
                    hook_point=run.hook_point if of_run else "",
                    k=run.k if of_run else None,
                    stratum=STRATUM,
                    supervision=SUPERVISION[method],
                    intervals=intervals,
                )
            )
    return tables
