"""First screen of the report: model and dictionaries, the main result, the scores of all methods."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from protsae.core.splits import EXCLUDED, HELD_OUT, SPLITS
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.differences import difference_between, in_words
from protsae.reporting.selection import (
    SCORE_METRICS,
    macro_scores,
    metric_table,
    number,
    records,
    score_cell,
    text,
    with_interval,
)
from protsae.reporting.style import ASPECTS, FLOORS, METRIC_LABELS, known_first
from protsae.reporting.tables import ReportTables
from protsae.sequences.bands import NO_HIT

_HEALTH_HELP = {
    "fve": "Share of the activations' variance that the reconstruction keeps. 1 is perfect.",
    "l0": "Mean number of latents that are active on a residue.",
    "dead_share": "Latents that are active on no residue of the split.",
    "dense_share": "Latents that are active on very many residues (parameter fidelity.judging.dense_above).",
    "cosine": "Mean cosine of an activation and its reconstruction. 1 is perfect.",
    "mse": "Mean squared error of the reconstruction, per coordinate of the activations.",
    "defined_participation": "Share of the decoded activation from defined latents (squared norms).",
    "gate_rate": "Share of pairs of a residue and a concept where the predictor opens the gate.",
    "mean_lift": "Mean rise of a defined latent where its gate is open.",
    "axiom_violation": "Share of 'A is a B' axioms that the geometry of the defined latents does not follow.",
    "subsumption_auc": "Do the directions of defined latents show which terms are ancestors? 0.5 is chance.",
}


def main_result(
    metrics: pd.DataFrame, differences: pd.DataFrame, dictionaries: Dictionaries, split: str = "test"
) -> str:
    """State the main result in plain words: AUC of the subject's latents, paired differences to others."""
    scores = {method: score_cell(row) for method, row in macro_scores(metrics, "auc", split).items()}
    subject, rival = dictionaries.subject, dictionaries.rival
    own = f"{subject}_latent"
    if own not in scores:
        return f"No AUC of {dictionaries.label(subject)}'s latents was measured on the {split} split."
    if subject in dictionaries.guided:
        what = (
            f"each defined latent of {dictionaries.label(subject)} ranks the proteins that have its concept"
        )
    else:
        what = (
            f"the best single latent of {dictionaries.label(subject)} for each concept, chosen without test"
            " proteins, ranks the proteins that have the concept"
        )
    shuffled = scores.get("shuffled_labels")
    floor = "" if shuffled is None else f", and a probe on shuffled labels reaches {shuffled['value']:.3f}"
    sentences = [
        f"On {split} proteins, {what} above the others with a mean AUC of {with_interval(scores[own])}."
        f" Chance is 0.5{floor}."
    ]
    others = {}
    if subject in dictionaries.guided:
        others["gated_linear_probe"] = "Logistic regression through the same gate, without a dictionary,"
    if rival is not None:
        latents = "defined latents" if rival in dictionaries.guided else "best single latents"
        others[f"{rival}_latent"] = f"The {latents} of {dictionaries.label(rival)}"
    others["linear_probe"] = "A linear probe on the mean activations, which uses no dictionary,"
    for method, name in others.items():
        if method in scores:
            verb = "reach" if method.endswith("_latent") else "reaches"
            sentence = f"{name} {verb} {with_interval(scores[method])}"
            difference = difference_between(differences, own, method, "auc", split)
            if difference is not None:
                sentence += f"; the paired difference is {in_words(difference)}"
            sentences.append(f"{sentence}.")
    return " ".join(sentences)


def run_facts(
    tables: ReportTables, provenance: Mapping[str, Any], dictionaries: Dictionaries
) -> list[dict[str, str]]:
    """Return what was trained on what, as label and value pairs."""
    metrics = tables.metrics
    facts = {
        "Language model": text(provenance.get("model")),
        "Hook point": _distinct(metrics["hook_point"]) or text(provenance.get("hook_point")),
        "Seed": _distinct(metrics["seed"].map(_whole)),
    }
    for name in dictionaries.order:
        table = tables.statistics.get(name, ())
        k = _distinct(metrics.loc[metrics["method"] == name, "k"].map(_whole))
        if len(table):
            facts[dictionaries.label(name)] = f"{len(table):,} latents" + (f", k = {k}" if k else "")
    return [{"label": label, "value": value} for label, value in facts.items() if value]


def _distinct(column: pd.Series) -> str:
    return ", ".join(sorted({text(value) for value in column} - {""}))


def _whole(value: object) -> str:
    found = number(value)
    return "" if found is None else f"{found:.0f}"


def sizes(tables: ReportTables, dictionaries: Dictionaries) -> list[dict[str, str]]:
    """Return the sizes that a reader asks for first: proteins, residues, concepts and dictionary quality."""
    used = tables.proteins[tables.proteins["split"] != EXCLUDED]
    splits = known_first(used["split"].tolist(), SPLITS)
    counts = " / ".join(f"{int((used['split'] == split).sum()):,} {split}" for split in splits)
    aspects = known_first(tables.concepts["aspect"].tolist(), ASPECTS)
    by_aspect = " / ".join(f"{int((tables.concepts['aspect'] == name).sum()):,} {name}" for name in aspects)
    n_residues = int(used["length"].sum())
    tiles = [
        {"value": f"{len(used):,}", "label": "proteins", "hint": counts},
        {"value": f"{n_residues:,}", "label": "residues", "hint": "one activation vector each"},
        {"value": f"{len(tables.concepts):,}", "label": "concepts", "hint": by_aspect},
    ]
    if len(audited := _audited(tables)):
        tiles.append(audited)
    explained = metric_table(tables.metrics)
    explained = explained[(explained["metric"] == "fve") & explained["value"].notna()]
    fve = dict(zip(explained["method"], explained["value"], strict=True))
    if dictionaries.subject in fve:
        others = [name for name in dictionaries.order[1:] if name in fve]
        tiles.append(
            {
                "value": f"{fve[dictionaries.subject]:.3f}",
                "label": f"variance explained by {dictionaries.label(dictionaries.subject)}",
                "hint": ", ".join(f"{dictionaries.label(name)} {fve[name]:.3f}" for name in others),
            }
        )
    return tiles


def _audited(tables: ReportTables) -> dict[str, str]:
    """Return what share of the held-out proteins was searched for relatives in training; empty if none can
    be."""
    proteins = tables.proteins
    searched = proteins["is_audited"]
    n_held_out = int((searched | proteins["split"].isin(HELD_OUT)).sum())
    if not n_held_out:
        return {}
    n_excluded = int((proteins["split"] == EXCLUDED).sum())
    test = proteins[(proteins["split"] == "test") & searched]
    n_no_hit = int((test["nearest_train_id"] == "").sum())
    return {
        "value": f"{searched.sum() / n_held_out:.0%}",
        "label": "of the held-out proteins searched for relatives in training",
        "hint": f"{n_excluded:,} excluded; {n_no_hit:,} of {len(test):,} searched test proteins left have no "
        "significant hit in training",
    }


def method_rows(
    metrics: pd.DataFrame, dictionaries: Dictionaries, split: str = "test"
) -> list[dict[str, Any]]:
    """Return one record per method: scores over the aspects and per aspect, best AUC first, floors last, and
    controls under the latents that they are controls of.

    Each record holds `method`, `label`, `supervision`, `floor` and `scores`: metric to the cells of `mean`,
    of the aspects and of `no_hit`, the mean over proteins without a hit in training, if not all are
    (`value`, `low`, `high`, None where there is none).
    """
    table = metric_table(metrics, split)
    table = table[table["metric"].isin(SCORE_METRICS)]
    macro = {metric: macro_scores(metrics, metric, split) for metric in SCORE_METRICS}
    no_hit = {metric: macro_scores(metrics, metric, split, NO_HIT) for metric in SCORE_METRICS}
    found = []
    for method in table["method"].drop_duplicates():
        own = records(table[table["method"] == method])
        scores = {}
        for metric in SCORE_METRICS:
            cells = {
                row["aspect"]: score_cell(row)
                for row in own
                if row["metric"] == metric and row["aspect"] in ASPECTS
            }
            scores[metric] = {
                **cells,
                "mean": score_cell(macro[metric].get(method, {})),
                "no_hit": score_cell(no_hit[metric].get(method, {})),
            }
        supervision = next((text(row["supervision"]) for row in own if text(row["supervision"])), "none")
        found.append(
            {
                "method": method,
                "label": dictionaries.method_label(method),
                "supervision": supervision,
                "floor": method in FLOORS,
                "scores": scores,
            }
        )
    ranked = dictionaries.ranked(
        {record["method"]: record["scores"]["auc"]["mean"]["value"] for record in found}
    )
    return sorted(found, key=lambda record: (record["floor"], ranked.index(record["method"])))


def counting(metrics: pd.DataFrame) -> str:
    """Say how many concepts means run over, and how many are independent; nothing without a figure."""
    rows = metrics[(metrics["metric"] == "n_effective_concepts") & (metrics["aspect"] == "all")]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    return (
        f"Means over concepts run over {int(row['n']):,} concepts, of near-twins over one. "
        f"By the correlation of their labels they are worth {row['value']:.0f} independent ones."
    )


def health_table(metrics: pd.DataFrame, dictionaries: Dictionaries, split: str = "test") -> dict[str, Any]:
    """Return the measures of the dictionaries themselves: one row per metric, one cell per dictionary.

    What has a value per aspect or per kind of latent has tables and figures of its own.
    """
    table = metric_table(metrics, split)
    table = table[table["metric"].isin(_HEALTH_HELP) & table["value"].notna()]
    values = {(row["method"], row["metric"]): number(row["value"]) for row in records(table)}
    names = [name for name in dictionaries.order if name in set(table["method"])]
    rows = [
        {
            "metric": metric,
            "label": METRIC_LABELS[metric],
            "help": meaning,
            "values": [values.get((name, metric)) for name in names],
        }
        for metric, meaning in _HEALTH_HELP.items()
        if any((name, metric) in values for name in names)
    ]
    return {"methods": [dictionaries.label(name) for name in names], "rows": rows}
