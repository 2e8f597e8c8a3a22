"""Activity of latents on the proteins or residues that carry the narrower of two nested concepts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.seeding import numpy_generator
from protsae.disentanglement.config import AbsorptionConfig
from protsae.encoding.run import Run
from protsae.metrics.bootstrap import cluster_weights, interval
from protsae.metrics.table import concat_metrics, metric_rows
from protsae.ontology.closure import ancestor_closure
from protsae.ontology.obo import Ontology

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

COLUMNS = (
    "method",
    "kind",
    "level",
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
class NestedConcepts:
    """Concepts of one level of which some lie within others."""

    level: str
    """protein or residue: what carries the concepts."""
    concepts: pd.DataFrame
    """`concept_id`, `name`, `aspect`."""
    pairs: Ints
    """(child, parent), rows of `concepts` [n_pairs, 2]."""


@dataclass(frozen=True)
class Representatives:
    """One latent of a kind per concept; arrays [n_concepts]."""

    latent: Ints
    threshold: Floats
    f1_test: Floats
    is_above_floor: Bools
    """Whether its F1 on validation is above that of a latent that always fires."""


@dataclass(frozen=True)
class Events:
    """How many carriers of each pair's child every test protein holds, and what the latents do on them.

    Arrays [n_proteins, n_pairs]; for concepts of whole proteins a protein is its one carrier.
    """

    carries: Floats
    silent: Floats
    """Of these, where the parent's latent is silent."""
    fires: Floats
    """Where the child's latent fires."""
    both: Floats
    """Where both are so."""

    def rates(self, weights: NDArray[Any]) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the shares of carriers where the parent's is silent, the child's fires, both, and both if
        they were independent [..., n_pairs]."""
        n = weights @ self.carries
        with np.errstate(invalid="ignore", divide="ignore"):
            silent, fires, both = (weights @ event / n for event in (self.silent, self.fires, self.both))
        return silent, fires, both, silent * fires


def what_happens(on: Bools, labels: Bools, pairs: Ints) -> NDArray[np.bool_]:
    """Return `Events` of single proteins or residues: carries, silent, fires and both [4, n, n_pairs].

    Args:
        on: where the latent of each concept fires [n, n_concepts].
        labels: which concepts are carried, false where that is not known [n, n_concepts].
        pairs: (child, parent) [n_pairs, 2].
    """
    child, parent = pairs.T
    carries = labels[:, child] & labels[:, parent]
    silent, fires = carries & ~on[:, parent], carries & on[:, child]
    return np.stack([carries, silent, fires, silent & fires])


def nearest_pairs(concepts: pd.DataFrame, ontology: Ontology) -> Ints:
    """Return the pairs (child, parent) of concepts with no other concept between [n_pairs, 2].

    By CAFA's rules: `is_a` and `part_of` within an aspect.

    Args:
        concepts: `concept_id`, in the order of the columns that the pairs name.
        ontology: the tables `concept_terms` and `concept_relations`.
    """
    closure = ancestor_closure(ontology, "cafa")
    rows = closure.index(concepts["concept_id"])
    above = closure.ancestors[rows][:, rows].toarray() & ~np.eye(len(rows), dtype=bool)
    between = above.astype(np.float32) @ above.astype(np.float32) > 0
    return np.argwhere(above & ~between)


def absorption_tables(
    run: Run,
    nested: NestedConcepts,
    found: Mapping[str, tuple[Representatives, Events]],
    clusters: Any,
    config: AbsorptionConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Say of every pair what was counted.

    Args:
        run: the dictionary.
        nested: the pairs.
        found: kind of latent to the latents that stand for the concepts, and what they did.
        clusters: homology cluster of each test protein [n_proteins].
        config: settings.

    Returns:
        The table in the columns `COLUMNS`, and rows of the metrics table.
    """
    weights = cluster_weights(clusters, config.n_resamples, numpy_generator(config.seed, "absorption"))
    tables, rows = [], []
    for kind, (chosen, events) in found.items():
        table = _table(run, nested, kind, chosen, events, config.min_carriers)
        tables.append(table)
        rows.append(_metrics(run, nested, kind, table, events, weights, config))
    return pd.concat(tables, ignore_index=True), concat_metrics(rows)


def nothing() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table and the rows where no concepts are nested."""
    return pd.DataFrame(columns=list(COLUMNS)), concat_metrics([])


def _table(
    run: Run, nested: NestedConcepts, kind: str, chosen: Representatives, events: Events, min_carriers: int
) -> pd.DataFrame:
    """Return one row per pair."""
    child, parent = nested.pairs.T
    silent, fires, both, expected = events.rates(np.ones(len(events.carries)))
    n_carriers = events.carries.sum(axis=0).astype(np.int64)
    weak = ~(chosen.is_above_floor[child] & chosen.is_above_floor[parent])
    reasons = np.select(
        [n_carriers < min_carriers, weak, chosen.latent[child] == chosen.latent[parent]],
        [f"fewer than {min_carriers} carriers", "a latent below the floor", "one latent"],
        "",
    )
    found = {
        "method": run.method,
        "kind": kind,
        "level": nested.level,
        "aspect": nested.concepts["aspect"].to_numpy(object)[child],
        "n_carriers": n_carriers,
        "parent_silent": silent,
        "child_fires": fires,
        "absorption": both,
        "expected": expected,
        "is_judged": reasons == "",
        "reason": reasons,
    }
    for name, column in (("child", child), ("parent", parent)):
        found[f"{name}_id"] = nested.concepts["concept_id"].to_numpy(object)[column]
        found[f"{name}_name"] = nested.concepts["name"].to_numpy(object)[column]
        found[f"{name}_latent"] = chosen.latent[column].astype(np.int32)
        found[f"{name}_f1_test"] = chosen.f1_test[column]
    return pd.DataFrame(found)[list(COLUMNS)]


def _metrics(
    run: Run,
    nested: NestedConcepts,
    kind: str,
    table: pd.DataFrame,
    events: Events,
    weights: NDArray[np.int64],
    config: AbsorptionConfig,
) -> pd.DataFrame:
    """Return means over the judged pairs, with intervals over clusters, and how many pairs were judged."""
    about: dict[str, Any] = {
        **run.labels,
        "aspect": "all",
        "split": "test",
        "preset": nested.level,
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
            name: interval(name, values[name], _mean_of_known(sample), config.confidence)
            for name, sample in samples.items()
        }
        rows.append(metric_rows(values, n=len(part), intervals=intervals, **about))
    return concat_metrics(rows)


def _mean_of_known(values: Floats) -> Floats:
    """Average over pairs (last axis), leaving out those without a carrier in the resample."""
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1))
