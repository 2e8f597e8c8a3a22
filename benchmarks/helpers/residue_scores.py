"""Scores of residues, whatever they come from, judged alike: AUC, average precision, and F1 at a threshold
that validation chose."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.interpretation.align import AlignmentTask
from protsae.interpretation.baselines import N_LETTERS, letter_places
from protsae.interpretation.pairs import PairCounts
from protsae.interpretation.residues import choose, count_on_validation
from protsae.interpretation.sources import CodeSource
from protsae.metrics.bootstrap import interval, macro_mean
from protsae.metrics.ranking import Ranking
from protsae.metrics.table import metric_records, metrics_table
from protsae.probing.k_sparse import Sample, correlations, fit_logistic
from protsae.probing.logistic import choose_probes, fit_path

Floats = NDArray[np.float64]
BySplit = Mapping[str, Floats]
"""Split to scores of its residues [n_residues, n_concepts], proteins by id."""


@dataclass(frozen=True)
class JudgedScores:
    """One method on test: metric to values [n_concepts], and to resampled ones [n_resamples, n_concepts]."""

    values: dict[str, Floats]
    samples: dict[str, Floats]


def latent_scores(codes: CodeSource, task: AlignmentTask) -> dict[str, Floats]:
    """Score residues by the latent that has the best F1 on validation, one for each concept."""
    _, counts = count_on_validation(codes, task.proteins, task.config.thresholds)
    chosen = choose(counts, counts, task.config)["residue"]
    latents = chosen.latent[chosen.rank == 1]
    return {
        split: residue_matrix(codes, task, split)[:, latents].toarray() for split in ("validation", "test")
    }


def probe_scores(codes: CodeSource, task: AlignmentTask, k: int) -> dict[str, Floats]:
    """Score residues by a logistic regression on the k latents that correlate most with a concept in
    training."""
    train = _sample(codes, task, "train")
    order = np.argsort(-np.abs(correlations(train)), axis=0, kind="stable").T[:, :k]
    scores = {
        split: np.zeros(task.proteins.truth(split).dense()[0].shape) for split in ("validation", "test")
    }
    samples = {split: _sample(codes, task, split) for split in scores}
    for concept, latents in enumerate(order):
        known = train.labelled[:, concept]
        features, truth = train.of(latents)[known], train.labels[known, concept]
        mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-12)
        share = np.full((1, len(truth)), 1 / len(truth))
        weights = fit_logistic(((features - mean) / scale)[None], truth[None], share, task.k_sparse.l2)[0]
        for split, found in scores.items():
            found[:, concept] = (samples[split].of(latents) - mean) / scale @ weights[:-1] + weights[-1]
    return scores


def dense_probe_scores(
    features: BySplit, task: AlignmentTask, strengths: tuple[float, ...]
) -> dict[str, Floats]:
    """Score residues by L2 logistic regressions on all features, the strength chosen on validation."""
    truth = {split: task.proteins.truth(split).dense() for split in features}
    candidates = fit_path(features["train"], *truth["train"], strengths)
    probes = choose_probes(candidates, features["validation"], *truth["validation"])
    return {split: probes.logits(features[split]) for split in ("validation", "test")}


def identity_scores(task: AlignmentTask) -> dict[str, Floats]:
    """Score residues by the share of positives among the training residues of their amino acid."""
    proteins = task.proteins
    place = {
        split: letter_places(np.concatenate([proteins.letters[name] for name in ids])) % (N_LETTERS + 1)
        for split, ids in proteins.ids.items()
    }
    labels, labelled = proteins.truth("train").dense()
    positive, known = np.zeros((N_LETTERS + 1, labels.shape[1])), np.zeros((N_LETTERS + 1, labels.shape[1]))
    np.add.at(positive, place["train"], labels & labelled)
    np.add.at(known, place["train"], labelled)
    rate = positive / np.maximum(known, 1)
    return {split: rate[place[split]] for split in ("validation", "test")}


def residue_matrix(codes: CodeSource, task: AlignmentTask, split: str) -> Any:
    """Return the codes of a split, proteins by id, as a sparse matrix [n_residues, n_latents]."""
    from scipy import sparse

    blocks = {}
    for names, part in codes.read(task.proteins.ids[split]):
        matrix = sparse.csr_matrix(
            (part.values, part.latents, part.indptr), shape=(len(part), codes.n_latents)
        )
        begin = 0
        for name in names:
            end = begin + len(task.proteins.letters[name])
            blocks[name] = matrix[begin:end]
            begin = end
    return sparse.vstack([blocks[name] for name in task.proteins.ids[split]]).tocsc()


def judge_scores(scores: BySplit, task: AlignmentTask) -> JudgedScores:
    """Measure scores on test: `auc`, `aupr`, `f1`, concept by concept, in every resample of clusters."""
    truth = task.proteins.truth("test")
    labels, labelled = truth.dense()
    protein = np.repeat(np.arange(len(truth.known)), np.diff(truth.first_row))
    values: dict[str, list[float]] = {"auc": [], "aupr": [], "f1": []}
    samples: dict[str, list[Floats]] = {"auc": [], "aupr": [], "f1": []}
    thresholds = best_thresholds(scores["validation"], *task.proteins.truth("validation").dense())
    for concept, threshold in enumerate(thresholds):
        at = slice(concept, concept + 1)
        ranking = Ranking(scores["test"][:, at], labels[:, at], labelled[:, at], protein)
        for metric, once, many in zip(
            ("auc", "aupr"), ranking.areas(), ranking.areas(task.weights), strict=True
        ):
            values[metric].append(float(once[0]))
            samples[metric].append(many[:, 0])
        fires = (scores["test"][:, concept] >= threshold) & labelled[:, concept]
        parts = (fires & labels[:, concept], fires, labels[:, concept] & labelled[:, concept])
        inside, fired, there = (
            np.bincount(protein, weights=part, minlength=len(truth.known))[:, None] for part in parts
        )
        counts = PairCounts(inside, fired, inside, there)
        values["f1"].append(float(counts.scores()[0][0]))
        samples["f1"].append(counts.scores(task.weights)[0][:, 0])
    return JudgedScores(
        {metric: np.array(found) for metric, found in values.items()},
        {metric: np.stack(found, axis=1) for metric, found in samples.items()},
    )


def best_thresholds(scores: Floats, labels: NDArray[np.bool_], labelled: NDArray[np.bool_]) -> Floats:
    """Return for each concept the score from which on a residue counts as positive, by F1; ties: the highest.

    Args:
        scores: [n_residues, n_concepts].
        labels: the same.
        labelled: the same; others do not count.
    """
    found = np.zeros(scores.shape[1])
    for concept in range(scores.shape[1]):
        known = labelled[:, concept]
        values, truth = scores[known, concept], labels[known, concept]
        order = np.argsort(-values, kind="stable")
        last = np.append(values[order][1:] != values[order][:-1], True)  # of a group of equal scores
        hits = np.cumsum(truth[order])
        f1 = 2 * hits / np.maximum(np.arange(1, len(hits) + 1) + truth.sum(), 1)
        found[concept] = values[order][last][int(np.argmax(f1[last]))]
    return found


def score_rows(
    judged: JudgedScores, identity: JudgedScores, task: AlignmentTask, about: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the rows of one method: each concept by its id as aspect, and the mean over all.

    `aupr_over_identity` and its like are paired differences from residue identity.

    Args:
        judged: the method.
        identity: residue identity.
        task: concepts and confidence.
        about: `method`, `supervision`, and what the run adds.
    """
    concepts = task.proteins.concepts["concept_id"].iloc[task.proteins.of_residues].tolist()
    n_known = task.proteins.truth("test").n_known()
    records: list[dict[str, Any]] = []
    for aspect, columns in _aspects(concepts):
        for metric, values in judged.values.items():
            own, other = judged.samples[metric], identity.samples[metric]
            pairs = {metric: (values, own)}
            pairs[f"{metric}_over_identity"] = (values - identity.values[metric], own - other)
            means = {name: float(macro_mean(found[columns])[0]) for name, (found, _) in pairs.items()}
            records += metric_records(
                means,
                aspect=aspect,
                split="test",
                n=int(n_known[columns].max()) if len(columns) == 1 else len(columns),
                stratum="residues",
                intervals={
                    name: interval(
                        name, means[name], macro_mean(resampled[:, columns])[0], task.config.confidence
                    )
                    for name, (_, resampled) in pairs.items()
                },
                **about,
            )
    return metrics_table(records)


def _aspects(concepts: list[str]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    for column, concept in enumerate(concepts):
        yield concept, np.array([column])
    yield "all", np.arange(len(concepts))


def _sample(codes: CodeSource, task: AlignmentTask, split: str) -> Sample:
    return Sample(residue_matrix(codes, task, split), *task.proteins.truth(split).dense())
