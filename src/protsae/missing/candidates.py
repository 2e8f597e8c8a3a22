"""Pairs of protein and concept where a reliable latent fires as on annotated proteins, and the concept is
absent.

Held-out proteins only: labels of training proteins were seen when the dictionary was trained. A concept is
absent where a protein is labelled in its aspect without it, and where it is not labelled there at all
(`is_labelled`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.splits import HELD_OUT
from protsae.encoding.codes import CodeStore
from protsae.interpretation.matching import always_on_f1, threshold_grid
from protsae.missing.config import CandidatesConfig
from protsae.probing.calibration import fit_calibration
from protsae.probing.judge import Judge, Scores
from protsae.probing.scores import select_latents
from protsae.probing.splits import SplitLabels

COLUMNS = (
    *("method", "rank", "protein_id", "split", "concept_id", "name", "aspect", "is_labelled", "latent"),
    *("probability", "prevalence", "share_annotated_below", "f1_validation", "f1_validation_always_on"),
    *(
        "precision_validation",
        "residues",
        "nearest_annotated_id",
        "nearest_annotated_by",
        "nearest_similarity",
    ),
    *("homology_probability", "homology_agrees", "predictor", "predictor_probability", "predictor_agrees"),
)
HOMOLOGY = "nearest_neighbour"
_QUANTILES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Decision:
    """A method's probabilities, and from where on it says yes, by what is best on validation."""

    probabilities: Mapping[str, Floats]
    """Split to [n_proteins, n_concepts]."""
    threshold: Floats
    """[n_concepts], of the probabilities: above it the answer is yes."""
    f1: Floats
    """[n_concepts], on validation."""
    precision: Floats
    """[n_concepts], on validation."""

    @classmethod
    def of(cls, scores: Mapping[str, NDArray[np.floating[Any]]], labels: SplitLabels) -> "Decision":
        """Calibrate scores, and choose the threshold with the largest F1, among quantiles.

        Args:
            scores: split to scores [n_proteins, n_concepts].
            labels: of validation proteins.
        """
        calibration = fit_calibration(scores["validation"], labels.labels, labels.labelled)
        found = {split: calibration.probabilities(scores[split]) for split in HELD_OUT}
        positive = labels.labels & labels.labelled
        threshold, f1, precision = (np.full(positive.shape[1], start) for start in (np.inf, -1.0, 0.0))
        for tried in threshold_grid(found["validation"], _QUANTILES):
            fired = (found["validation"] > tried) & labels.labelled
            hits = (fired & positive).sum(axis=0)
            its = 2 * hits / np.maximum(fired.sum(axis=0) + positive.sum(axis=0), 1)
            better = its > f1
            threshold, f1 = np.where(better, tried, threshold), np.where(better, its, f1)
            precision = np.where(better, hits / np.maximum(fired.sum(axis=0), 1), precision)
        return cls(found, threshold, f1, precision)

    def is_reliable(self, labels: SplitLabels, config: CandidatesConfig) -> Bools:
        """Return for which concepts F1 on validation is above its floor by enough [n_concepts].

        Args:
            labels: of validation proteins.
            config: how much.
        """
        return self.f1 - always_on_f1(labels) >= config.min_margin

    def says_yes(self, split: str) -> Bools:
        """Return to which pairs of a split it says yes [n_proteins, n_concepts]."""
        return self.probabilities[split] > self.threshold


def missing_annotations(
    name: str,
    scores: Scores,
    judge: Judge,
    latent_of: NDArray[np.int64],
    evidence: "Similar",
    codes: CodeStore,
    config: CandidatesConfig,
) -> pd.DataFrame:
    """List candidates of one dictionary in `COLUMNS`, the most probable first.

    Args:
        name: of the dictionary.
        scores: of its latents, of its predictor or its probe, and of `HOMOLOGY`.
        judge: labels and concepts.
        latent_of: latent of each concept [n_concepts].
        evidence: annotated proteins that are similar.
        codes: the dictionary's codes.
        config: which pairs are listed.
    """
    by_latent = f"{name}_latent"
    predictor = next(m for m in (f"{name}_predictor", f"{name}_probe") if m in scores.values)
    validation = judge.splits["validation"]
    latents, predicted, homology = (
        Decision.of(scores.values[method], validation) for method in (by_latent, predictor, HOMOLOGY)
    )
    floor = always_on_f1(validation)
    is_reliable = latents.is_reliable(validation, config)
    train = judge.splits["train"]
    prevalence = (train.labels & train.labelled).sum(axis=0) / np.maximum(train.labelled.sum(axis=0), 1)
    concepts = judge.known.tables.concepts.iloc[judge.columns]
    rows: list[dict[str, Any]] = []
    for split in HELD_OUT:
        labels, share = judge.splits[split], share_below(scores.values[by_latent], validation, split)
        listed = ~(labels.labels & labels.labelled) & latents.says_yes(split) & is_reliable
        listed &= share >= config.min_share_below
        for i, c in zip(*np.nonzero(listed), strict=True):
            about = concepts.iloc[c]
            rows.append(
                {
                    "method": name,
                    "protein_id": labels.protein_ids[i],
                    "split": split,
                    "concept": int(c),
                    "concept_id": about["concept_id"],
                    "name": about["name"],
                    "aspect": about["aspect"],
                    "is_labelled": bool(labels.labelled[i, c]),
                    "latent": int(latent_of[c]),
                    "probability": latents.probabilities[split][i, c],
                    "prevalence": prevalence[c],
                    "share_annotated_below": share[i, c],
                    "f1_validation": latents.f1[c],
                    "f1_validation_always_on": floor[c],
                    "precision_validation": latents.precision[c],
                    "homology_probability": homology.probabilities[split][i, c],
                    "homology_agrees": bool(homology.says_yes(split)[i, c]),
                    "predictor": predictor,
                    "predictor_probability": predicted.probabilities[split][i, c],
                    "predictor_agrees": bool(predicted.says_yes(split)[i, c]),
                }
            )
    rows.sort(key=lambda row: (-row["probability"], row["protein_id"], row["concept_id"]))
    for rank, row in enumerate(rows[: config.max_rows], start=1):
        row["rank"] = rank
        row["residues"] = stretches(codes, row["protein_id"], row["latent"], config)
        row.update(evidence.nearest(row["protein_id"], row.pop("concept")))
    table = pd.DataFrame(rows[: config.max_rows], columns=list(COLUMNS))
    flags = ("is_labelled", "homology_agrees", "predictor_agrees")
    return table.astype({"rank": "int32", "latent": "int32", **dict.fromkeys(flags, "bool")})


def share_below(scores: Mapping[str, NDArray[np.floating[Any]]], labels: SplitLabels, split: str) -> Floats:
    """Return the share of the annotated validation proteins that score lower than each protein of a split
    [n_proteins, n_concepts]; 0 for concepts without any.

    Args:
        scores: split to scores [n_proteins, n_concepts].
        labels: of validation proteins.
        split: whose proteins are compared.
    """
    found = np.zeros(scores[split].shape)
    for c, column in enumerate((labels.labels & labels.labelled).T):
        annotated = np.sort(scores["validation"][column, c])
        found[:, c] = np.searchsorted(annotated, scores[split][:, c]) / max(len(annotated), 1)
    return found


def latents_of_concepts(
    judge: Judge, encoding: pd.DataFrame, pooling: Any, *, guided: bool
) -> NDArray[np.int64]:
    """Return the latent that stands for each concept of whole proteins, as the judge scores it.

    Args:
        judge: has the labels.
        encoding: `protein_id`, `<pooling>_latents`.
        pooling: of each concept's latent [n_concepts].
        guided: whether the first latents are tied to the concepts.
    """
    if guided:
        return np.asarray(judge.columns, np.int64)
    chosen = {
        name: select_latents(
            judge.features(encoding, f"{name}_latents"), judge.splits, judge.scoring.selection
        ).latent
        for name in judge.scoring.poolings
    }
    return np.array([chosen[name][c] for c, name in enumerate(pooling)], np.int64)


class Similar:
    """Training proteins that carry a concept and are similar to a protein."""

    def __init__(
        self,
        neighbours: pd.DataFrame,
        activations: Mapping[str, NDArray[np.floating[Any]]],
        splits: Mapping[str, SplitLabels],
    ) -> None:
        """Keep what is searched.

        Args:
            neighbours: see `probing.neighbours.find_neighbours`.
            activations: split to mean activations [n_proteins, d_model].
            splits: labels by split, in the order of the activations.
        """
        train = splits["train"]
        self._train_ids, self._carries = train.protein_ids, train.labels & train.labelled
        place = {name: i for i, name in enumerate(self._train_ids)}
        self._hits: dict[str, list[tuple[int, float]]] = {}
        columns = zip(
            neighbours["protein_id"], neighbours["neighbour_id"], neighbours["identity"], strict=True
        )
        for name, other, identity in columns:
            if other in place:
                self._hits.setdefault(name, []).append((place[other], float(identity)))
        centre = np.asarray(activations["train"], np.float64).mean(axis=0)
        units = {
            split: _units(np.asarray(values, np.float64) - centre) for split, values in activations.items()
        }
        self._train = units["train"]
        self._own = {
            name: units[split][i] for split in HELD_OUT for i, name in enumerate(splits[split].protein_ids)
        }

    def nearest(self, protein_id: str, concept: int) -> dict[str, Any]:
        """Return the most similar training protein that carries a concept: by alignment, else by the cosine
        of centred mean activations."""
        for place, identity in self._hits.get(protein_id, []):
            if self._carries[place, concept]:
                return _found(self._train_ids[place], "sequence", identity)
        carriers = np.flatnonzero(self._carries[:, concept])
        if not len(carriers):
            return _found("", "", float("nan"))
        cosine = self._train[carriers] @ self._own[protein_id]
        best = int(cosine.argmax())
        return _found(self._train_ids[carriers[best]], "activations", float(cosine[best]))


def _found(name: str, by: str, similarity: float) -> dict[str, Any]:
    return {"nearest_annotated_id": name, "nearest_annotated_by": by, "nearest_similarity": similarity}


def _units(values: Floats) -> Floats:
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    units: Floats = values / np.where(norms > 0, norms, 1)
    return units


def stretches(codes: CodeStore, protein_id: str, latent: int, config: CandidatesConfig) -> str:
    """Name the residues that carry a latent in a protein, such as `12-30, 45`: 1-based, the strongest
    stretches first; empty where it does not fire."""
    part, index = codes.codes(protein_id), codes.residue_index(protein_id)
    at = part.latents == latent
    rows = np.repeat(np.arange(len(part)), np.diff(part.indptr))[at]
    values = part.values[at]
    if not len(values):
        return ""
    strong = values >= config.carried_at * values.max()
    position, values = index[rows[strong]].astype(np.int64), values[strong]
    begins = np.flatnonzero(np.diff(position, prepend=-2) > 1)
    sums = np.add.reduceat(values, begins)
    ends = np.append(begins[1:], len(position)) - 1
    best = np.argsort(-sums, kind="stable")[: config.n_stretches]
    pairs = [(int(position[begins[i]]) + 1, int(position[ends[i]]) + 1) for i in best]
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in pairs)
