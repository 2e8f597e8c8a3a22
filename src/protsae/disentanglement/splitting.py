"""Splitting: over how many latents is a concept spread?

After SAEBench: a probe on k latents is fitted for k = 1, 2, ...; a concept counts as split over one more
latent as long as that raises F1 on validation by more than a stated gain. Latents are added one at a time,
each the one that agrees best with what the others leave unexplained on training proteins (orthogonal matching
pursuit); the probe is the linear discriminant on them, its threshold the one of best F1 on validation. k and
threshold are chosen on validation, F1 is reported on test.

A defined latent is its concept's first: what is counted is how many others it needs. Free latents are chosen
among free ones.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.splits import HELD_OUT
from protsae.disentanglement.config import AbsorptionConfig
from protsae.encoding.run import Run
from protsae.interpretation.dictionary import EncodedDictionary
from protsae.interpretation.matching import always_on_f1
from protsae.metrics.table import concat_metrics, metric_rows
from protsae.probing.labelled import LabelledProteins
from protsae.probing.splits import SplitLabels

Floats = NDArray[np.float64]

COLUMNS = (
    "method",
    "kind",
    "concept_id",
    "name",
    "aspect",
    "n_latents",
    "latents",
    "f1_validation_first",
    "f1_validation",
    "f1_test_first",
    "f1_test",
    "f1_test_always_on",
)
_RIDGE = 1e-6  # of a latent's variance: keeps twins from dividing by nothing


@dataclass(frozen=True)
class Moments:
    """Second moments of standardised latents on the labelled training proteins of one aspect."""

    mean: Floats
    scale: Floats
    """Standard deviation of each latent [n_latents]; infinite for a constant one, which then says nothing."""
    between: Floats
    """Correlations of the latents [n_latents, n_latents]."""
    with_concepts: Floats
    """Covariance of each latent with each concept [n_latents, n_concepts]."""

    @classmethod
    def of(cls, pooled: NDArray[np.floating[Any]], labels: NDArray[np.bool_]) -> "Moments":
        """Measure latents [n, n_latents] against labels [n, n_concepts]."""
        values = np.asarray(pooled, np.float64)
        mean, scale = values.mean(axis=0), values.std(axis=0)
        scale = np.where(scale > 1e-12, scale, np.inf)
        standard = (values - mean) / scale
        n = len(values)
        return cls(mean, scale, standard.T @ standard / n, standard.T @ (labels - labels.mean(axis=0)) / n)


def pursue(
    moments: Moments, concept: int, candidates: NDArray[np.int64], first: int, n_steps: int
) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """Yield the latents chosen after 1, 2, ... steps with their weights on standardised latents.

    Args:
        moments: of the training proteins.
        concept: column of `moments.with_concepts`.
        candidates: latents to choose from.
        first: the latent to begin with; -1: the best of the candidates.
        n_steps: most latents.
    """
    target = moments.with_concepts[:, concept]
    chosen: list[int] = [first] if first >= 0 else []
    residual = target.copy()
    for step in range(n_steps):
        if len(chosen) == step:
            score = residual[candidates].copy()
            score[np.isin(candidates, chosen)] = -np.inf
            if score.max(initial=-np.inf) <= 0:
                return
            chosen.append(int(candidates[int(np.argmax(score))]))
        between = moments.between[np.ix_(chosen, chosen)] + _RIDGE * np.eye(len(chosen))
        weights = np.linalg.solve(between, target[chosen])
        residual = target - moments.between[:, chosen] @ weights
        yield np.array(chosen, np.int64), np.asarray(weights, np.float64)


def best_f1(scores: Floats, labels: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the best F1 of "positive where the score is at least t" over all t, and that t."""
    if not len(scores):
        return 0.0, np.inf
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    f1 = 2 * np.cumsum(labels[order]) / (np.arange(1, len(scores) + 1) + labels.sum())
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # a threshold cannot part equal scores
    best = int(np.argmax(f1))
    return float(f1[best]), float(ranked[best])


def f1_at(scores: Floats, labels: NDArray[np.bool_], threshold: float) -> float:
    """Return F1 of "positive where the score is at least the threshold"; 0 where nothing is."""
    fired = scores >= threshold
    return float(2 * (fired & labels).sum() / max(fired.sum() + labels.sum(), 1))


def splitting(
    subject: EncodedDictionary, proteins: LabelledProteins, config: AbsorptionConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count the latents of every concept of whole proteins, for defined latents and for free ones.

    Args:
        subject: the dictionary, on all three splits.
        proteins: concepts, and the proteins that carry them.
        config: settings.

    Returns:
        The table in the columns `COLUMNS`, and rows of the metrics table.
    """
    labels = proteins.protein_labels
    concepts = proteins.concepts.iloc[proteins.of_proteins].reset_index(drop=True)
    own = subject.own_latents(proteins.of_proteins)
    floors = always_on_f1(labels["test"])
    rows: list[dict[str, Any]] = []
    for aspect in pd.unique(concepts["aspect"]):
        columns = np.flatnonzero(concepts["aspect"].to_numpy() == aspect)
        of_aspect = _Aspect.of(subject, labels, own, columns)
        for kind in subject.kinds():
            for place, concept in enumerate(columns):
                rows.append(
                    {
                        "method": subject.run.method,
                        "kind": kind,
                        **concepts.iloc[concept][["concept_id", "name", "aspect"]],
                        **of_aspect.count(place, kind, config),
                        "f1_test_always_on": floors[concept],
                    }
                )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table, _metrics(subject.run, table)


@dataclass(frozen=True)
class _Aspect:
    """The proteins that are labelled in one aspect, in every split."""

    moments: Moments
    own: NDArray[np.int64]
    free: NDArray[np.int64]
    n_latents: int
    pooled: dict[str, Floats]
    labels: dict[str, NDArray[np.bool_]]

    @classmethod
    def of(
        cls,
        subject: EncodedDictionary,
        of_splits: Mapping[str, SplitLabels],
        own: NDArray[np.int64],
        columns: NDArray[np.int64],
    ) -> "_Aspect":
        pooled, labels = {}, {}
        for split, known in of_splits.items():
            rows = known.labelled[:, columns[0]]
            pooled[split] = np.asarray(subject.pooled[split][rows], np.float64)
            labels[split] = known.labels[rows][:, columns]
        moments = Moments.of(pooled["train"], labels["train"])
        return cls(moments, own[columns], subject.latents_of("free"), len(subject.kind), pooled, labels)

    def count(self, concept: int, kind: str, config: AbsorptionConfig) -> dict[str, Any]:
        """Add latents to a concept while that helps on validation; return the columns that say how far."""
        first, candidates = (self.own[concept], np.arange(self.n_latents))
        if kind == "free":
            first, candidates = -1, self.free
        kept: dict[str, Any] = {"n_latents": 0, "latents": ""}
        for latents, weights in pursue(self.moments, concept, candidates, int(first), config.max_latents):
            found = self._f1(concept, latents, weights)
            if kept["n_latents"] and found["f1_validation"] - kept["f1_validation"] <= config.min_gain:
                break
            kept |= {"n_latents": len(latents), "latents": ";".join(map(str, latents)), **found}
            if len(latents) == 1:
                kept |= {f"{name}_first": value for name, value in found.items()}
        return kept

    def _f1(self, concept: int, latents: NDArray[np.int64], weights: Floats) -> dict[str, float]:
        per_unit = weights / self.moments.scale[latents]
        scores = {split: self.pooled[split][:, latents] @ per_unit for split in HELD_OUT}
        best, threshold = best_f1(scores["validation"], self.labels["validation"][:, concept])
        test = f1_at(scores["test"], self.labels["test"][:, concept], threshold)
        return {"f1_validation": best, "f1_test": test}


def _metrics(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for kind, part in table.groupby("kind", sort=True):
        counted = part[part["n_latents"] > 0]
        if counted.empty:
            continue
        values = {
            "splitting_latents": counted["n_latents"].mean(),
            "splitting_share": (counted["n_latents"] > 1).mean(),
            "splitting_f1_first": counted["f1_test_first"].mean(),
            "splitting_f1": counted["f1_test"].mean(),
        }
        rows.append(
            metric_rows(
                values,
                **run.labels,
                aspect="all",
                split="test",
                n=len(counted),
                stratum=str(kind),
                supervision="training" if kind == "defined" else "probe",
            )
        )
    return concat_metrics(rows)
