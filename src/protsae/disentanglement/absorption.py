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

from protsae.core.seeding import numpy_generator
from protsae.disentanglement.config import AbsorptionConfig
from protsae.interpretation.config import MatchingConfig
from protsae.interpretation.matching import Matches, match_latents
from protsae.metrics.bootstrap import cluster_weights, percentile_interval
from protsae.metrics.table import concat_metrics, metric_rows
from protsae.ontology.closure import ancestor_closure
from protsae.ontology.obo import Ontology
from protsae.probing.encoding import Run
from protsae.probing.splits import SplitLabels, feature_matrix, protein_level

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

COLUMNS = (
    "method",
    "kind",
    "child_id",
    "child_name",
    "parent_id",
    "parent_name",
    "aspect",
    "child_latent",
    "parent_latent",
    "child_f1_test",
    "parent_f1_test",
    "n_carriers",
    "parent_silent",
    "child_fires",
    "absorption",
    "expected",
    "is_judged",
    "reason",
)


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


@dataclass(frozen=True)
class Representatives:
    """One latent of a kind per concept; arrays [n_concepts]."""

    latent: NDArray[np.int64]
    threshold: Floats
    f1_test: Floats
    is_above_floor: Bools
    """Whether its F1 on validation is above that of a latent that always fires."""

    @classmethod
    def of(cls, subject: Subject, kind: str, matches: Matches) -> "Representatives":
        """Take the own latent of each concept, or the free one with the best F1 on validation."""
        free, n_concepts = subject.latents_of("free"), len(subject.concepts)
        best = free[np.argmax(matches.validation.f1[free], axis=0)] if kind == "free" else subject.own_latent
        at = (best, np.arange(n_concepts))
        above = matches.margin[at] > 0
        return cls(best, matches.threshold[at], matches.test.f1[at], above)


def nearest_pairs(concepts: pd.DataFrame, terms: pd.DataFrame, relations: pd.DataFrame) -> NDArray[np.int64]:
    """Return the pairs (child, parent) of concepts with no other concept between [n_pairs, 2].

    By CAFA's rules: `is_a` and `part_of` within an aspect.

    Args:
        concepts: `concept_id`, in the order of the columns that the pairs name.
        terms: the `concept_terms` table.
        relations: the `concept_relations` table.
    """
    closure = ancestor_closure(Ontology(terms=terms, relations=relations), "cafa")
    rows = closure.index(concepts["concept_id"])
    above = closure.ancestors[rows][:, rows].toarray() & ~np.eye(len(rows), dtype=bool)
    between = above.astype(np.float32) @ above.astype(np.float32) > 0
    return np.argwhere(above & ~between)


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
        The table in the columns `COLUMNS`, and rows of the metrics table.
    """
    kinds = subject.kinds()
    if not len(pairs) or not kinds:
        return _table([]), concat_metrics([])
    matches = match_latents(
        subject.pooled["validation"],
        subject.pooled["test"],
        subject.labels["validation"],
        subject.labels["test"],
        MatchingConfig(quantiles=config.quantiles),
    )
    weights = cluster_weights(
        [clusters[protein_id] for protein_id in subject.labels["test"].protein_ids],
        config.n_resamples,
        numpy_generator(config.seed, "absorption"),
    )
    tables, rows = [], []
    for kind in kinds:
        events = _Events.of(subject, Representatives.of(subject, kind, matches), pairs)
        table = events.table(subject, kind, pairs, config.min_carriers)
        tables.append(table)
        rows.append(_metrics(subject.run, kind, table, events, weights, config))
    return _table(tables), concat_metrics(rows)


@dataclass(frozen=True)
class _Events:
    """What happens on each test protein, for each pair: arrays [n_proteins, n_pairs], 0 or 1."""

    chosen: Representatives
    carries: Floats
    silent: Floats
    """Carries the child, and the parent's latent is silent."""
    fires: Floats
    """Carries the child, and the child's latent fires."""

    @classmethod
    def of(cls, subject: Subject, chosen: Representatives, pairs: NDArray[np.int64]) -> "_Events":
        labels = subject.labels["test"]
        child, parent = pairs.T
        on = subject.pooled["test"][:, chosen.latent] > chosen.threshold
        carries = (labels.labels & labels.labelled)[:, child] & labels.labels[:, parent]
        silent, fires = carries & ~on[:, parent], carries & on[:, child]
        return cls(chosen, *(np.asarray(event, np.float64) for event in (carries, silent, fires)))

    def rates(self, weights: NDArray[Any]) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the shares of carriers where the parent's is silent, the child's fires, both, and both if
        they were independent [..., n_pairs]."""
        n = weights @ self.carries
        with np.errstate(invalid="ignore", divide="ignore"):
            silent, fires = weights @ self.silent / n, weights @ self.fires / n
            both = weights @ (self.silent * self.fires) / n
        return silent, fires, both, silent * fires

    def table(self, subject: Subject, kind: str, pairs: NDArray[np.int64], min_carriers: int) -> pd.DataFrame:
        """Return one row per pair."""
        child, parent = pairs.T
        chosen, concepts = self.chosen, subject.concepts
        silent, fires, both, expected = self.rates(np.ones(len(self.carries)))
        n_carriers = self.carries.sum(axis=0).astype(np.int64)
        weak = ~(chosen.is_above_floor[child] & chosen.is_above_floor[parent])
        reasons = np.select(
            [n_carriers < min_carriers, weak, chosen.latent[child] == chosen.latent[parent]],
            [
                f"fewer than {min_carriers} carriers",
                "a latent below the floor",
                "one latent",
            ],
            "",
        )
        found = {
            "method": subject.run.method,
            "kind": kind,
            "aspect": concepts["aspect"].to_numpy(object)[child],
            "n_carriers": n_carriers,
            "parent_silent": silent,
            "child_fires": fires,
            "absorption": both,
            "expected": expected,
            "is_judged": reasons == "",
            "reason": reasons,
        }
        for name, column in (("child", child), ("parent", parent)):
            found[f"{name}_id"] = concepts["concept_id"].to_numpy(object)[column]
            found[f"{name}_name"] = concepts["name"].to_numpy(object)[column]
            found[f"{name}_latent"] = chosen.latent[column].astype(np.int32)
            found[f"{name}_f1_test"] = chosen.f1_test[column]
        return pd.DataFrame(found)[list(COLUMNS)]


def _metrics(
    run: Run,
    kind: str,
    table: pd.DataFrame,
    events: _Events,
    weights: NDArray[np.int64],
    config: AbsorptionConfig,
) -> pd.DataFrame:
    """Return means over the judged pairs, with intervals over clusters, and how many pairs were judged."""
    about: dict[str, Any] = {
        "method": run.method,
        "aspect": "all",
        "split": "test",
        "seed": run.seed,
        "hook_point": run.hook_point,
        "k": run.k,
        "stratum": kind,
        "supervision": "training" if kind == "defined" else "selection",
    }
    shares = {
        "absorption_judged_share": table["is_judged"].mean(),
        "absorption_one_latent_share": (table["reason"] == "one latent").mean(),
    }
    rows = [metric_rows(shares, n=len(table), **about)]
    judged = table["is_judged"].to_numpy()
    if judged.any():
        part = table[judged]
        values = {
            "absorption": part["absorption"].mean(),
            "absorption_excess": (part["absorption"] - part["expected"]).mean(),
        }
        _, _, both, expected = (rate[:, judged] for rate in events.rates(weights))
        samples = {"absorption": both, "absorption_excess": both - expected}
        intervals = {
            name: percentile_interval(_mean_of_known(sample), config.confidence).pair
            for name, sample in samples.items()
        }
        rows.append(metric_rows(values, n=len(part), intervals=intervals, **about))
    return concat_metrics(rows)


def _mean_of_known(values: Floats) -> Floats:
    """Average over pairs (last axis), leaving out those without a carrier in the resample."""
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1))


def _table(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))
