"""Absorption: is a concept's latent silent where the latent of a narrower concept fires?

After SAEBench, where a latent for "begins with S" falls silent on the words that have a latent of their own.
There the concepts are letters; here they are terms of an ontology, whose pairs of parent and child are known.
Of the test proteins that have the child (and therefore the parent), absorbed is the share on which the
parent's latent is silent and the child's fires. A latent that is silent at random is silent there too: the
share expected if both were independent among those proteins stands beside it, and the excess over it is what
the child's latent took. What counts as firing, and for a free latent which one stands for a concept, is
chosen by F1 on validation proteins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.disentanglement.config import AbsorptionConfig
from protsae.disentanglement.nesting import Events, Nest, Representatives, nothing, report
from protsae.interpretation.config import MatchingConfig
from protsae.interpretation.matching import Matches, match_latents
from protsae.probing.encoding import Run
from protsae.probing.splits import SplitLabels, feature_matrix, protein_level


@dataclass(frozen=True)
class Subject:
    """A dictionary's pooled latents and the concepts of whole proteins that they are held against."""

    run: Run
    kind: NDArray[Any]
    """defined or free [n_latents]."""
    own_latent: NDArray[np.int64]
    """The defined latent of each concept [n_concepts]; -1 in a dictionary without defined ones."""
    concepts: pd.DataFrame
    """`concept_id`, `name`, `aspect`, in the order of the labels' columns."""
    pooled: Mapping[str, NDArray[np.floating[Any]]]
    """Split to [n_proteins, n_latents]."""
    labels: Mapping[str, SplitLabels]
    """Split to labels [n_proteins, n_concepts]."""

    @classmethod
    def of(
        cls,
        run: Run,
        statistics: pd.DataFrame,
        encoding: pd.DataFrame,
        concepts: pd.DataFrame,
        labels: Mapping[str, SplitLabels],
        pooling: str,
    ) -> "Subject":
        """Line up a dictionary with the concepts of whole proteins.

        Args:
            run: the dictionary.
            statistics: `latent`, `kind`, `concept_idx`, sorted by latent.
            encoding: `protein_id`, `mean_latents`, `max_latents`.
            concepts: the `concepts` table.
            labels: split to the labels of all concepts.
            pooling: mean or max.
        """
        columns = protein_level(concepts)
        named = concepts.set_index("concept_idx").loc[columns, ["concept_id", "name", "aspect"]]
        latent_of = {int(c): latent for latent, c in enumerate(statistics["concept_idx"]) if c >= 0}
        own = np.array([latent_of.get(int(column), -1) for column in columns], dtype=np.int64)
        pooled = {
            split: feature_matrix(encoding, f"{pooling}_latents", known.protein_ids)
            for split, known in labels.items()
        }
        judged = {split: known.of_concepts(columns) for split, known in labels.items()}
        kind = statistics["kind"].to_numpy(object)
        return cls(run, kind, own, named.reset_index(drop=True), pooled, judged)

    def kinds(self) -> list[str]:
        """Return which kinds of latents could stand for concepts; none where there are no concepts."""
        return [kind for kind in ("defined", "free") if (self.kind == kind).any() and len(self.concepts)]

    def latents_of(self, kind: str) -> NDArray[np.int64]:
        """Return the latents of a kind."""
        return np.flatnonzero(self.kind == kind)


def absorption(
    subject: Subject,
    pairs: NDArray[np.int64],
    clusters: Mapping[str, str],
    config: AbsorptionConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure absorption of every pair of concepts, for defined latents and for free ones.

    Args:
        subject: the dictionary, on the splits validation and test.
        pairs: (child, parent), columns of the concepts [n_pairs, 2].
        clusters: protein id to homology cluster, for intervals.
        config: settings.

    Returns:
        The table in the columns `nesting.COLUMNS`, and rows of the metrics table.
    """
    kinds = subject.kinds()
    if not len(pairs) or not kinds:
        return nothing()
    matches = match_latents(
        subject.pooled["validation"],
        subject.pooled["test"],
        subject.labels["validation"],
        subject.labels["test"],
        MatchingConfig(quantiles=config.quantiles),
    )
    found = {}
    for kind in kinds:
        chosen = _representatives(subject, kind, matches)
        found[kind] = (chosen, _events(subject, chosen, pairs))
    nest = Nest(subject.run, "protein", subject.concepts, pairs)
    return report(nest, found, [clusters[p] for p in subject.labels["test"].protein_ids], config)


def _representatives(subject: Subject, kind: str, matches: Matches) -> Representatives:
    """Take the own latent of each concept, or the free one with the best F1 on validation."""
    free = subject.latents_of("free")
    best = free[np.argmax(matches.validation.f1[free], axis=0)] if kind == "free" else subject.own_latent
    at = (best, np.arange(len(best)))
    return Representatives(best, matches.threshold[at], matches.test.f1[at], matches.margin[at] > 0)


def _events(subject: Subject, chosen: Representatives, pairs: NDArray[np.int64]) -> Events:
    labels = subject.labels["test"]
    child, parent = pairs.T
    on = subject.pooled["test"][:, chosen.latent] > chosen.threshold
    carries = (labels.labels & labels.labelled)[:, child] & labels.labels[:, parent]
    silent, fires = carries & ~on[:, parent], carries & on[:, child]
    events = (carries, silent, fires, silent & fires)
    return Events(*(np.asarray(event, np.float64) for event in events))
