"""First screen of the report: what was trained on what, the main result, methods and dictionaries."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from protsae.reporting.selection import (
    ALL_SCORE_METRICS,
    SCORE_METRICS,
    macro_scores,
    metric_table,
    number,
    records,
    text,
)
from protsae.reporting.style import (
    ASPECTS,
    FLOORS,
    METRIC_LABELS,
    known_first,
    method_label,
)
from protsae.reporting.tables import ReportTables

_HEALTH_HELP = {
    "fve": "Share of the activations' variance that the reconstruction keeps; 1 is perfect.",
    "l0": "Mean number of non-zero latents on a residue.",
    "dead_share": "Latents that fire on no residue of the split.",
    "defined_participation": "Defined latents' part of the summed squared norms of decoded contributions.",
    "gate_rate": "Share of residue and concept pairs on which the predictor opens the gate.",
    "mse": "Mean squared error of the reconstruction, per coordinate of the activations.",
    "axiom_violation": "Share of subclass axioms whose balls do not nest within the margin.",
    "mean_lift": "Mean rise of a defined latent where its gate is open.",
    "cosine": "Mean cosine of an activation and its reconstruction.",
    "dense_share": "Latents that fire on more than a tenth of the residues (fidelity.judging.dense_above).",
    "loss_recovered": "What the reconstruction, in the activation's place, leaves of the language model: 1 "
    "is all, 0 is as if the activation were zero.",
    "loss_recovered_mean": "The same; 0 is as if the activation were the mean.",
    "mlm_ce_clean": "Of masked residues, in nats.",
    "mlm_ce_sae": "With the reconstruction in place of the activation.",
    "mlm_ce_mean": "With the mean activation in its place.",
    "mlm_ce_zero": "With zero in its place.",
    "subsumption_auc": "Do the directions of defined latents tell a term's ancestors? 0.5 is chance.",
}


def main_result(metrics: pd.DataFrame, split: str = "test") -> str:
    """State the main result in plain words: AUC of the defined latents, and what stands beside it."""
    scores = macro_scores(metrics, "auc", split)
    if "protsae_latent" not in scores:
        return f"No AUC of the defined latents was measured on the {split} split."
    own = scores["protsae_latent"]
    sentences = [
        f"On {split} proteins, pooled defined latents rank the carriers of a GO term above the other proteins"
        f" with an AUC of {_with_interval(own)}, averaged over concepts; chance is 0.5."
    ]
    if "topk_latent" in scores:
        rival = scores["topk_latent"]
        difference = float(own["value"]) - float(rival["value"])
        side = "ahead of" if difference > 0 else "behind" if difference < 0 else "level with"
        sentences.append(
            f"That is {abs(difference):.3f} {side} the best single latents of a plain TopK SAE, at"
            f" {_with_interval(rival)}{_overlap(own, rival)}."
        )
    if "linear_probe" in scores:
        sentences.append(
            f"A linear probe on the mean activations, a classifier and no dictionary, reaches"
            f" {_with_interval(scores['linear_probe'])}."
        )
    return " ".join(sentences)


def _with_interval(row: Mapping[str, Any]) -> str:
    low, high = number(row["low"]), number(row["high"])
    interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
    return f"{float(row['value']):.3f}{interval}"


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    lows = [number(row["low"]) for row in (one, other)]
    highs = [number(row["high"]) for row in (one, other)]
    bounds = [value for value in (*lows, *highs) if value is not None]
    if len(bounds) < 4:
        return ""
    apart = max(bounds[:2]) > min(bounds[2:])
    return "; the intervals do not overlap" if apart else "; the intervals overlap"


def run_facts(tables: ReportTables, provenance: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what was trained on what, as label and value pairs."""
    metrics = tables.metrics
    facts = {
        "Language model": text(provenance.get("model")),
        "Hook point": _distinct(metrics["hook_point"]) or text(provenance.get("hook_point")),
        "k (TopK)": _distinct(metrics["k"].map(_whole)),
        "Seed": _distinct(metrics["seed"].map(_whole)),
    }
    for method, table in tables.statistics.items():
        facts[f"{method_label(method)} latents"] = f"{len(table):,}" if len(table) else ""
    return [{"label": label, "value": value} for label, value in facts.items() if value]


def _distinct(column: pd.Series) -> str:
    return ", ".join(sorted({text(value) for value in column} - {""}))


def _whole(value: object) -> str:
    found = number(value)
    return "" if found is None else f"{found:.0f}"


def sizes(tables: ReportTables) -> list[dict[str, str]]:
    """Return the sizes that a reader asks for first: proteins, residues, concepts and dictionary quality."""
    used = tables.proteins[tables.proteins["split"] != "excluded"]
    splits = known_first(used["split"].tolist(), ("train", "validation", "test"))
    counts = " / ".join(f"{int((used['split'] == split).sum()):,} {split}" for split in splits)
    aspects = known_first(tables.concepts["aspect"].tolist(), ASPECTS)
    by_aspect = " / ".join(f"{int((tables.concepts['aspect'] == name).sum()):,} {name}" for name in aspects)
    n_residues = int(used["length"].sum())
    tiles = [
        {"value": f"{len(used):,}", "label": "proteins", "hint": counts},
        {
            "value": f"{n_residues:,}",
            "label": "residues",
            "hint": "one activation vector each",
        },
        {"value": f"{len(tables.concepts):,}", "label": "concepts", "hint": by_aspect},
    ]
    health = metric_table(tables.metrics)
    fve = {row["method"]: number(row["value"]) for row in records(health[health["metric"] == "fve"])}
    if fve.get("protsae") is not None:
        beside = "" if fve.get("topk") is None else f"TopK SAE {fve['topk']:.3f}"
        label = "variance explained by ProtSAE"
        tiles.append({"value": f"{fve['protsae']:.3f}", "label": label, "hint": beside})
    return tiles


def method_rows(metrics: pd.DataFrame, split: str = "test") -> list[dict[str, Any]]:
    """Return one record per method: scores over the aspects and per aspect, best AUC first, floors last.

    Each record holds `method`, `label`, `supervision`, `floor` and `scores`: metric to the cells of `mean`
    and of the aspects (`value`, `low`, `high`, None where there is none).
    """
    table = metric_table(metrics, split)
    table = table[table["metric"].isin(SCORE_METRICS)]
    macro = {metric: macro_scores(metrics, metric, split) for metric in SCORE_METRICS}
    found = []
    for method in table["method"].drop_duplicates():
        own = records(table[table["method"] == method])
        scores = {}
        for metric in SCORE_METRICS:
            cells = {
                row["aspect"]: _cell(row)
                for row in own
                if row["metric"] == metric and row["aspect"] in ASPECTS
            }
            scores[metric] = {**cells, "mean": _cell(macro[metric].get(method, {}))}
        supervision = next((text(row["supervision"]) for row in own if text(row["supervision"])), "none")
        found.append(
            {
                "method": method,
                "label": method_label(method),
                "supervision": supervision,
                "floor": method in FLOORS,
                "scores": scores,
            }
        )
    return sorted(found, key=lambda record: (record["floor"], -_rank(record), record["method"]))


def _cell(row: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: number(row.get(name)) for name in ("value", "low", "high")}


def _rank(record: dict[str, Any]) -> float:
    value = record["scores"]["auc"]["mean"]["value"]
    return -1.0 if value is None else float(value)


def health_table(metrics: pd.DataFrame, split: str = "test") -> dict[str, Any]:
    """Return the measures of the dictionaries themselves: one row per metric, one cell per dictionary.

    What has a value per aspect or per kind of latent has tables and figures of its own.
    """
    table = metric_table(metrics, split)
    of_dictionary = table["metric"].isin(METRIC_LABELS) & ~table["metric"].isin(ALL_SCORE_METRICS)
    table = table[of_dictionary & table["value"].notna()]
    methods = known_first(table["method"].tolist(), ("protsae", "topk"))
    values = {(row["method"], row["metric"]): number(row["value"]) for row in records(table)}
    rows = [
        {
            "metric": metric,
            "label": METRIC_LABELS.get(metric, metric),
            "help": _HEALTH_HELP.get(metric, ""),
            "values": [values.get((method, metric)) for method in methods],
        }
        for metric in known_first(table["metric"].tolist(), tuple(METRIC_LABELS))
    ]
    return {"methods": [method_label(method) for method in methods], "rows": rows}
