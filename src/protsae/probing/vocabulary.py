"""The concepts that are judged, which of them count, and what each preset of the metrics holds of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.metrics.cafa import PresetName
from protsae.ontology.closure import reachable
from protsae.ontology.obo import Ontology
from protsae.probing.splits import SplitLabels

ASPECTS = ("BPO", "MFO", "CCO")
INFORMATION_COLUMNS: dict[PresetName, str] = {
    "cafa": "information_content",
    "deepgo": "information_content_deepgo",
}
Below = list[list[int]]
COUNTED_ON = ("train", "validation")
"""Splits whose labels tell which concepts are near-twins: those that are known before test is looked at."""
TWIN_COLUMNS = (
    *("concept_id", "name", "aspect", "n_positive"),
    *("represented_by", "representative_name", "jaccard"),
)


@dataclass(frozen=True)
class CountedOnce:
    """Concepts, near-twins represented by one of them: means over concepts and counts of them run over these.

    Terms that annotate nearly the same proteins are one test, not several.
    """

    concepts: pd.DataFrame
    """Their rows of the `concepts` table."""
    representative: NDArray[np.int64]
    """Which concept stands for each, itself where it counts [n_concepts]."""
    jaccard: NDArray[np.float64]
    """Proteins that carry both of those that carry either, for each and its representative [n_concepts]."""
    n_positive: NDArray[np.int64]
    """Proteins that carry each [n_concepts]."""
    correlation: NDArray[np.float64]
    """Of labels, over the proteins that are labelled for both [n_concepts, n_concepts]; 0 where either is
    constant."""

    @classmethod
    def of(
        cls, concepts: pd.DataFrame, splits: Mapping[str, SplitLabels], max_jaccard: float
    ) -> "CountedOnce":
        """Find near-twins among the concepts of each aspect.

        From the concept with most positives down (ties by id), one represents itself unless its Jaccard index
        with an earlier representative of its aspect exceeds the bound; then the most similar of these does.

        Args:
            concepts: `concept_id`, `name`, `aspect`, in the order of the labels.
            splits: labels by split; those of `COUNTED_ON` are read.
            max_jaccard: the bound.
        """
        of = SplitLabels.joined(splits, COUNTED_ON)
        known = of.labelled.astype(np.float64)
        positive = (of.labels & of.labelled).astype(np.float64)
        both, n_positive = positive.T @ positive, positive.sum(axis=0)
        jaccard = both / np.maximum(n_positive[:, None] + n_positive - both, 1)
        np.fill_diagonal(jaccard, 1.0)
        aspect, ids = concepts["aspect"].to_numpy(), concepts["concept_id"].to_numpy(str)
        representative = np.arange(len(ids))
        counted: list[int] = []
        for concept in np.lexsort((ids, -n_positive)).tolist():
            twins = [c for c in counted if aspect[c] == aspect[concept] and jaccard[c, concept] > max_jaccard]
            if twins:
                representative[concept] = max(twins, key=lambda c: jaccard[c, concept])
            else:
                counted.append(concept)
        return cls(
            concepts.reset_index(drop=True),
            representative,
            jaccard[np.arange(len(ids)), representative],
            n_positive.astype(np.int64),
            _correlations(positive, known),
        )

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Which concepts represent themselves [n_concepts]."""
        found: NDArray[np.bool_] = self.representative == np.arange(len(self.representative))
        return found

    @property
    def represented_by(self) -> NDArray[np.object_]:
        """The id of each concept's representative [n_concepts]."""
        return self.concepts["concept_id"].to_numpy(object)[self.representative]

    def n_effective(self, columns: NDArray[np.int64]) -> float:
        """Return the effective number of M concepts of correlations r_ij, `M^2 / sum of r_ij^2`.

        It is the participation ratio of the eigenvalues of the correlation matrix, (sum of lambda)^2 / sum of
        lambda^2: M if labels are uncorrelated, 1 if they are all the same.
        """
        if not len(columns):
            return 0.0
        return float(len(columns) ** 2 / np.square(self.correlation[np.ix_(columns, columns)]).sum())

    def twins(self) -> pd.DataFrame:
        """Return the concepts that another one represents, in `TWIN_COLUMNS`."""
        about = self.concepts[["concept_id", "name", "aspect"]].assign(
            n_positive=self.n_positive,
            represented_by=self.represented_by,
            representative_name=self.concepts["name"].to_numpy(object)[self.representative],
            jaccard=self.jaccard,
        )
        return about[~self.counts].reset_index(drop=True)[list(TWIN_COLUMNS)]


def _correlations(positive: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of every two columns of labels over the rows that are known in both."""
    n = np.maximum(known.T @ known, 1)
    mean = positive.T @ known / n  # of each, over what is known of the other
    variance = mean * (1 - mean)
    spread = np.sqrt(variance * variance.T)
    covariance = positive.T @ positive / n - mean * mean.T
    found = np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > 0)
    np.fill_diagonal(found, 1.0)
    return found


@dataclass(frozen=True)
class Vocabulary:
    """What evaluation needs to know of the concepts."""

    concepts: pd.DataFrame
    """Rows of the `concepts` table that are judged, column by column."""
    below: Mapping[PresetName, Below]
    """Preset to, per concept, the indices of the concepts below it."""
    once: CountedOnce
    """Which of them count in means over concepts."""

    @classmethod
    def of(cls, once: CountedOnce, terms: pd.DataFrame, relations: pd.DataFrame) -> "Vocabulary":
        """Close the ontology by the rules of both presets and restrict it to the concepts.

        `cafa` follows `is_a` and `part_of` within an aspect, `deepgo` every relation.
        """
        concepts = once.concepts
        ontology, ids = Ontology(terms=terms, relations=relations), concepts["concept_id"].tolist()
        below: dict[PresetName, Below] = {}
        for preset in INFORMATION_COLUMNS:
            above = reachable(ontology, preset, ids)
            np.fill_diagonal(above, val=False)
            below[preset] = [np.flatnonzero(column).tolist() for column in above.T]
        return cls(concepts, below, once)

    def information(self, preset: PresetName) -> NDArray[np.float64]:
        """Return the information content of the concepts among training proteins, in bits [n_concepts].

        Raises:
            InputError: the table lacks it.
        """
        column = INFORMATION_COLUMNS[preset]
        if column not in self.concepts:
            raise InputError(
                f"the table of concepts has no column {column}: run the pipeline annotation again"
            )
        return self.concepts[column].to_numpy(np.float64)

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

    def representatives(self) -> dict[str, NDArray[np.int64]]:
        """Return the same without concepts that another one represents: what means over concepts run over."""
        counts = self.once.counts
        return {aspect: index[counts[index]] for aspect, index in self.columns().items()}

    def averaged(self) -> list[str]:
        """Return the aspects that `mean` is taken over: the ontology's, or all there are without them."""
        names = list(self.columns())
        return [name for name in names if name in ASPECTS] or [name for name in names if name != "all"]
