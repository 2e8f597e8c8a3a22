"""MonoSemanticity of every latent before every panel: a table, and what it comes to per kind of latent."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.disentanglement.config import MonosemanticityConfig
from protsae.disentanglement.panels import Panel
from protsae.encoding.run import Run
from protsae.interpretation.dictionary import EncodedDictionary
from protsae.metrics.monosemanticity import (
    MonoSemanticity,
    jackknife_error,
    monosemanticity,
    scaled,
)
from protsae.metrics.significance import benjamini_hochberg
from protsae.metrics.table import concat_metrics, metric_rows

COLUMNS = (
    "method",
    "latent",
    "kind",
    "concept_id",
    "judge",
    "aspect",
    "n_items",
    "n_groups",
    "n_active",
    "n_active_groups",
    "n_effective",
    "is_judged",
    "raw",
    "background",
    "score",
    "low",
    "high",
    "p_value",
    "q_value",
)
_SUPERVISION = {"defined": "training", "free": "none", "neuron": "none"}


def score_latents(
    subject: EncodedDictionary,
    concept_ids: NDArray[Any],
    activations: Any,
    panel: Panel,
    config: MonosemanticityConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score all latents before one panel.

    Args:
        subject: the dictionary, or the neurons.
        concept_ids: the `concept_id` of each `concept_idx`.
        activations: dense or sparse [n_items, n_latents], in the order of the panel's items.
        panel: the judge.
        config: what is enough to be judged.

    Returns:
        The table in the columns `COLUMNS`, and rows of the metrics table.
    """
    n_latents, n_groups = len(subject.kind), panel.judge.groups.n_groups
    table = pd.DataFrame(
        {
            "method": subject.run.method,
            "latent": np.arange(n_latents, dtype=np.int32),
            "kind": subject.kind,
            "concept_id": subject.of_concepts(concept_ids),
            "judge": panel.name,
            "aspect": panel.aspect,
            "n_items": len(panel.items),
            "n_groups": n_groups,
            "is_judged": False,
        }
    ).reindex(columns=list(COLUMNS))
    if n_groups < config.min_groups:
        return table, concat_metrics([])
    found = monosemanticity(scaled(activations), panel.judge, config.confidence)
    is_judged = (
        (found.n_active_groups >= config.min_groups)
        & (found.n_effective >= config.min_effective)
        & ~np.isnan(found.p_value)
    )
    for name in ("n_active", "n_active_groups", "n_effective"):
        table[name] = getattr(found, name)
    for name in ("raw", "score", "low", "high", "p_value"):
        table[name] = np.where(is_judged, getattr(found, name), np.nan)
    table["background"], table["is_judged"] = found.background, is_judged
    table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy())
    return table, _metrics(subject.run, table, found, panel, config)


def score_panels(
    subject: EncodedDictionary,
    concept_ids: NDArray[Any],
    judged: Sequence[tuple[Panel, Any]],
    config: MonosemanticityConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score all latents before several panels, each with the latents' activations on its items."""
    found = [score_latents(subject, concept_ids, activations, panel, config) for panel, activations in judged]
    tables = [table for table, _ in found]
    return _stacked(tables), concat_metrics([rows for _, rows in found])


def _stacked(tables: list[pd.DataFrame]) -> pd.DataFrame:
    kinds = {"n_active": "Int64", "n_active_groups": "Int64", "is_judged": "bool"}
    numbers = dict.fromkeys(COLUMNS[COLUMNS.index("raw") :], "float64") | {"n_effective": "float64"}
    empty = pd.DataFrame(columns=list(COLUMNS))
    return pd.concat([t.astype(kinds | numbers) for t in tables or [empty]], ignore_index=True)


def _metrics(
    run: Run, table: pd.DataFrame, found: MonoSemanticity, panel: Panel, config: MonosemanticityConfig
) -> pd.DataFrame:
    """Return means over the judged latents of each kind, with intervals over clusters, and the difference."""
    about: dict[str, Any] = {
        **run.labels,
        "aspect": panel.aspect,
        "split": config.split,
        "preset": panel.name,
    }
    rows, means = [], {}
    for kind, part in table.groupby("kind", sort=True):
        judged = part[part["is_judged"]]
        share = {"monosemanticity_judged_share": len(judged) / len(part)}
        labels = {**about, "stratum": str(kind), "supervision": _SUPERVISION[str(kind)]}
        rows.append(metric_rows(share, n=len(part), **labels))
        if judged.empty:
            continue
        means[kind] = found.replicates[:, judged["latent"].to_numpy()].mean(axis=1)
        values = {
            "monosemanticity": judged["score"].mean(),
            "monosemanticity_raw": judged["raw"].mean(),
            "monosemanticity_background": found.background,
            "monosemanticity_above_chance": (judged["q_value"] <= config.false_discovery_rate).mean(),
        }
        interval = {"monosemanticity": _interval(values["monosemanticity"], means[kind], config.confidence)}
        rows.append(metric_rows(values, n=len(judged), intervals=interval, **labels))
    if {"defined", "free"} <= set(means):
        by_kind = table[table["is_judged"]].groupby("kind")["score"].mean()
        gap = float(by_kind["defined"] - by_kind["free"])
        bounds = _interval(gap, means["defined"] - means["free"], config.confidence)
        name = "monosemanticity_defined_minus_free"
        rows.append(
            metric_rows({name: gap}, intervals={name: bounds}, n=int(table["is_judged"].sum()), **about)
        )
    return concat_metrics(rows)


def _interval(value: float, replicates: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Return the jackknife interval of a mean over latents: every latent saw the same clusters."""
    from scipy.stats import t

    reach = float(t.ppf((1 + confidence) / 2, len(replicates) - 1) * jackknife_error(replicates))
    return value - reach, value + reach
