"""Scores of residues, whatever they come from, judged alike: AUC, average precision, and F1 at a threshold
that validation chose."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.alignment.align import Bench
from protsae.alignment.dictionaries import N_LETTERS, letter_places
from protsae.alignment.k_sparse import Sample, correlations, fit_logistic
from protsae.alignment.pairs import PairCounts
from protsae.alignment.reading import Reader
from protsae.alignment.residues import choose, largest_on_validation
from protsae.metrics.association import AssociationAccumulator
from protsae.metrics.bootstrap import macro_mean, percentile_interval
from protsae.metrics.ranking import Ranking
from protsae.metrics.table import metric_records, metrics_table
from protsae.probing.logistic import choose_probes, fit_path

Floats = NDArray[np.float64]
BySplit = Mapping[str, Floats]
"""Split to scores of its residues [n_residues, n_concepts], proteins by id."""


@dataclass(frozen=True)
class JudgedScores:
    """One method on test: metric to values [n_concepts], and to resampled ones [n_resamples, n_concepts]."""

    values: dict[str, Floats]
    samples: dict[str, Floats]


def latent_scores(reader: Reader, bench: Bench) -> dict[str, Floats]:
    """Score residues by the latent that has the best F1 on validation, one for each concept."""
    accumulator = AssociationAccumulator(
        largest_on_validation(reader), bench.ground.known_together, bench.config.thresholds
    )
    for names, codes in reader.read("validation"):
        accumulator.update(codes, bench.ground.truth("validation", names))
    chosen = choose(accumulator.counts(), bench.config)["residue"]
    latents = chosen.latent[chosen.rank == 1]
    return {split: residue_matrix(reader, split)[:, latents].toarray() for split in ("validation", "test")}


def probe_scores(reader: Reader, bench: Bench, k: int) -> dict[str, Floats]:
    """Score residues by a logistic regression on the k latents that correlate most with a concept in
    training."""
    train = _sample(reader, bench, "train")
    order = np.argsort(-np.abs(correlations(train)), axis=0, kind="stable").T[:, :k]
    scores = {split: np.zeros(bench.ground.truth(split).dense()[0].shape) for split in ("validation", "test")}
    codes = {split: _sample(reader, bench, split) for split in scores}
    for concept, latents in enumerate(order):
        known = train.labelled[:, concept]
        features, truth = train.of(latents)[known], train.labels[known, concept]
        mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-12)
        share = np.full((1, len(truth)), 1 / len(truth))
        weights = fit_logistic(((features - mean) / scale)[None], truth[None], share, bench.k_sparse.l2)[0]
        for split, found in scores.items():
            found[:, concept] = (codes[split].of(latents) - mean) / scale @ weights[:-1] + weights[-1]
    return scores


def dense_probe_scores(features: BySplit, bench: Bench, strengths: tuple[float, ...]) -> dict[str, Floats]:
    """Score residues by L2 logistic regressions on all features, the strength chosen on validation."""
    truth = {split: bench.ground.truth(split).dense() for split in features}
    candidates = fit_path(features["train"], *truth["train"], strengths)
    probes = choose_probes(candidates, features["validation"], *truth["validation"])
    return {split: probes.logits(features[split]) for split in ("validation", "test")}


def identity_scores(bench: Bench) -> dict[str, Floats]:
    """Score residues by the share of positives among the training residues of their amino acid."""
    ground = bench.ground
    place = {
        split: letter_places(np.concatenate([ground.letters[name] for name in ids])) % (N_LETTERS + 1)
        for split, ids in ground.ids.items()
    }
    labels, labelled = ground.truth("train").dense()
    positive, known = np.zeros((N_LETTERS + 1, labels.shape[1])), np.zeros((N_LETTERS + 1, labels.shape[1]))
    np.add.at(positive, place["train"], labels & labelled)
    np.add.at(known, place["train"], labelled)
    rate = positive / np.maximum(known, 1)
    return {split: rate[place[split]] for split in ("validation", "test")}


def residue_matrix(reader: Reader, split: str) -> Any:
    """Return the codes of a split, proteins by id, as a sparse matrix [n_residues, n_latents]."""
    from scipy import sparse

    blocks = {}
    for names, codes in reader.read(split):
        matrix = sparse.csr_matrix(
            (codes.values, codes.latents, codes.indptr), shape=(len(codes), reader.dictionary.n_latents)
        )
        begin = 0
        for name in names:
            end = begin + len(reader.ground.letters[name])
            blocks[name] = matrix[begin:end]
            begin = end
    return sparse.vstack([blocks[name] for name in reader.ground.ids[split]]).tocsc()


def judge_scores(scores: BySplit, bench: Bench) -> JudgedScores:
    """Measure scores on test: `auc`, `aupr`, `f1`, concept by concept, in every resample of clusters."""
    truth = bench.ground.truth("test")
    labels, labelled = truth.dense()
    protein = np.repeat(np.arange(len(truth.known)), np.diff(truth.first_row))
    values: dict[str, list[float]] = {"auc": [], "aupr": [], "f1": []}
    samples: dict[str, list[Floats]] = {"auc": [], "aupr": [], "f1": []}
    thresholds = best_thresholds(scores["validation"], *bench.ground.truth("validation").dense())
    for concept, threshold in enumerate(thresholds):
        at = slice(concept, concept + 1)
        ranking = Ranking(scores["test"][:, at], labels[:, at], labelled[:, at], protein)
        for metric, once, many in zip(
            ("auc", "aupr"), ranking.areas(), ranking.areas(bench.weights), strict=True
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
        samples["f1"].append(counts.scores(bench.weights)[0][:, 0])
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
    judged: JudgedScores, identity: JudgedScores, bench: Bench, about: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the rows of one method: each concept by its id as aspect, and the mean over all.

    `aupr_over_identity` and its like are paired differences from residue identity.

    Args:
        judged: the method.
        identity: residue identity.
        bench: concepts and confidence.
        about: `method`, `supervision`, and what the run adds.
    """
    concepts = bench.ground.concepts["concept_id"].iloc[bench.ground.of_residues].tolist()
    n_known = bench.ground.truth("test").n_known()
    records: list[dict[str, Any]] = []
    for aspect, columns in _aspects(concepts):
        for metric, values in judged.values.items():
            own, other = judged.samples[metric], identity.samples[metric]
            pairs = {metric: (values, own)}
            pairs[f"{metric}_over_identity"] = (values - identity.values[metric], own - other)
            records += metric_records(
                {name: float(macro_mean(found[columns])[0]) for name, (found, _) in pairs.items()},
                aspect=aspect,
                split="test",
                n=int(n_known[columns].max()) if len(columns) == 1 else len(columns),
                stratum="residues",
                intervals={
                    name: percentile_interval(
                        macro_mean(resampled[:, columns])[0], bench.config.confidence
                    ).pair
                    for name, (_, resampled) in pairs.items()
                },
                **about,
            )
    return metrics_table(records)


def _aspects(concepts: list[str]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    for column, concept in enumerate(concepts):
        yield concept, np.array([column])
    yield "all", np.arange(len(concepts))


def _sample(reader: Reader, bench: Bench, split: str) -> Sample:
    return Sample(residue_matrix(reader, split), *bench.ground.truth(split).dense())
