"""Alignment in few numbers: rows of the metrics table, and one line per method, level and aspect."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.interpretation.align import Alignment
from protsae.interpretation.config import ChoiceConfig
from protsae.interpretation.pairs import PairScores
from protsae.metrics.bootstrap import interval
from protsae.metrics.table import by_aspect, concat_metrics, metric_records, metrics_table
from protsae.probing.estimates import Key, estimate_rows, macro

STRATUM = {"protein": "proteins", "residue": "residues", "domain": "residues"}
F1_NAMES = {"protein": "relevance_f1", "residue": "residue_f1", "domain": "domain_f1"}
SUMMARY_COLUMNS = (
    "method", "level", "aspect", "n_concepts", "n_effective", "n_found", "n_found_bh", "share_found",
    "f1_validation", "f1_test", "f1_top", "f1_always_on", "f1_identity",
)  # fmt: skip
_MEANS = ["f1_validation", "f1_test", "f1_always_on", "f1_identity"]


def metrics_of(
    alignment: Alignment, config: ChoiceConfig, about: Mapping[str, Any], supervision: str
) -> pd.DataFrame:
    """Return the rows of one method on test.

    `relevance_f1`, `residue_f1`, `domain_f1`: mean over concepts of the F1 of the best latent by the
    selection; with the suffix `_top`, the mean over all that were kept. `concept_coverage`: share of the
    concepts that are found, `preset` naming the level. `k_sparse_auc`: mean over concepts, `preset` naming k.
    Concepts that another one represents do not count. `n_effective_concepts`: how many of those of whole
    proteins that count are independent.

    Args:
        alignment: what was found.
        config: confidence of the intervals.
        about: `method`, and what the run adds: `seed`, `hook_point`, `k`.
        supervision: how the method saw labels.
    """
    given = {**about, "split": "test", "supervision": supervision}
    records: list[dict[str, Any]] = []
    for level, scores in alignment.pairs.items():
        counts = _counts(scores.table)
        for aspect, inside in by_aspect(scores.table["aspect"]):
            records += _of_level(level, scores, inside & counts, config, {**given, "aspect": aspect})
    if "protein" in alignment.pairs:
        once = alignment.once
        for aspect, inside in by_aspect(once.concepts["aspect"]):
            counted = np.flatnonzero(inside & once.counts)
            number, label = {"n_effective_concepts": once.n_effective(counted)}, {**given, "aspect": aspect}
            records += metric_records(number, n=len(counted), stratum=STRATUM["protein"], **label)
    estimates = {}
    for key, rows in alignment.k_sparse.groupby(["level", "k"], sort=True):
        level, k = str(key[0]), int(rows["k"].iloc[0])
        auc, samples = rows["auc_test"].to_numpy(np.float64), alignment.k_sparse_samples[level, k]
        counts = alignment.once.counts if level == "protein" else np.ones(len(rows), dtype=bool)
        for aspect, inside in by_aspect(rows["aspect"]):
            of = Key("k_sparse_auc", aspect, f"k={k}", STRATUM[level])
            estimates[of] = macro(auc[inside & counts], samples[:, inside & counts])
    probes = estimate_rows(about["method"], "test", estimates, config.confidence, supervision)
    return concat_metrics([metrics_table(records), probes.assign(**about)])


def _of_level(
    level: str, scores: PairScores, inside: NDArray[np.bool_], config: ChoiceConfig, given: Mapping[str, Any]
) -> list[dict[str, Any]]:
    table = scores.table
    first = inside & (table["rank"] == 1).to_numpy()
    f1 = table["f1_test"].to_numpy(np.float64)
    pairs = {F1_NAMES[level]: first, f"{F1_NAMES[level]}_top": inside}
    values = {metric: float(f1[of_metric].mean()) for metric, of_metric in pairs.items()}
    intervals = {
        metric: interval(metric, values[metric], scores.samples[:, of_metric].mean(axis=1), config.confidence)
        for metric, of_metric in pairs.items()
    }
    about = {**given, "n": int(first.sum()), "stratum": STRATUM[level]}
    found = float(table["is_found"].to_numpy()[first].mean())
    return [
        *metric_records(values, intervals=intervals, **about),
        *metric_records({"concept_coverage": found}, preset=level, **about),
    ]


def _counts(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which pairs are of concepts that represent themselves."""
    return (table["represented_by"] == table["concept_id"]).to_numpy()


def summarise(concept_alignment: pd.DataFrame, metrics: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return one line per method, level and aspect, and for all aspects together: `SUMMARY_COLUMNS`.

    Concepts that another one represents do not count; `n_effective` of those that do are independent.
    F1 are means over concepts: of the best latent by the selection, `f1_top` of all that were kept.
    `n_found_bh` counts the concepts whose best latent beats residue identity at a false-discovery rate of
    1 - confidence (Benjamini-Hochberg over the concepts of a method and level) and passes the two other
    bounds too.
    """
    lines = []
    effective = metrics[metrics["metric"] == "n_effective_concepts"].set_index("aspect")["value"].to_dict()
    for (method, level), of_level in concept_alignment.groupby(["method", "level"], sort=False):
        for aspect, inside in by_aspect(of_level["aspect"]):
            rows = of_level[inside & _counts(of_level)]
            best = rows[rows["rank"] == 1]
            passes = best["is_found"] & (best["q_value"] <= 1 - confidence)
            number = effective.get(aspect) if level == "protein" else None
            counts = (len(best), number, int(best["is_found"].sum()), int(passes.sum()))
            line = dict(zip(SUMMARY_COLUMNS, (method, level, aspect, *counts), strict=False))
            line |= {"share_found": best["is_found"].mean(), "f1_top": rows["f1_test"].mean()}
            lines.append(line | best[_MEANS].mean().to_dict())
    return pd.DataFrame(lines, columns=list(SUMMARY_COLUMNS))
