"""The concept table, and the inputs that were left out with their reasons."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from protsae.core.splits import EXCLUDED, SPLITS
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.selection import number, records, text
from protsae.reporting.tables import ReportTables

MAX_LISTED = 100
MAX_RESIDUE_ROWS = 40


def residue_rows(tables: ReportTables, dictionaries: Dictionaries) -> dict[str, Any]:
    """Return the concepts of residues with their AUC on test residues, by method; highest first.

    Returns:
        `methods` (labels), `rows` (`concept_id`, `name`, `aspect`, `n_positive`, `values`) and `n_more`:
        those that are in residue_concept_metrics.csv only.
    """
    table = tables.residue_concept_metrics
    test = table[table["split"] == "test"]
    own = [f"{name}_{role}" for name in dictionaries.order for role in ("predictor", "latent", "probe")]
    methods = [name for name in (*own, "residue_identity", "position") if name in set(test["method"])]
    found: list[dict[str, Any]] = []
    for concept_id, scored in test.groupby("concept_id", sort=True):
        auc = {row["method"]: number(row["auc"]) for row in records(scored)}
        first = scored.iloc[0]
        found.append(
            {
                "concept_id": text(concept_id),
                "name": text(first["name"]),
                "aspect": text(first["aspect"]),
                "n_positive": int(first["n_positive"]),
                "values": [auc.get(method) for method in methods],
            }
        )
    found.sort(key=lambda row: (-(row["values"][0] or 0.0), row["concept_id"]))
    return {
        "methods": [dictionaries.method_label(method) for method in methods],
        "rows": found[:MAX_RESIDUE_ROWS],
        "n_more": max(0, len(found) - MAX_RESIDUE_ROWS),
    }


def concept_methods(dictionaries: Dictionaries) -> dict[str, str]:
    """Return the methods of the concept table, and their short names in its heading."""
    own = {f"{name}_latent": dictionaries.short_label(name) for name in dictionaries.order}
    return {**own, "linear_probe": "probe"}


def concept_rows(
    tables: ReportTables, dictionaries: Dictionaries, split: str = "test"
) -> list[dict[str, Any]]:
    """Return one record per concept: name, aspect, positives per split, AUC per method.

    `f1` and its `floor` are those of the subject's defined latent, None where it has none.
    """
    scored = tables.concept_metrics[tables.concept_metrics["split"] == split]
    auc = {(row["method"], row["concept_id"]): number(row["auc"]) for row in records(scored)}
    methods = concept_methods(dictionaries)
    f1 = defined_f1(tables, dictionaries.subject)
    return [
        {
            "id": row["concept_id"],
            "name": text(row["name"]),
            "aspect": row["aspect"],
            "n": [int(row[f"n_{name}"]) for name in SPLITS],
            "auc": [auc.get((method, row["concept_id"])) for method in methods],
            "f1": f1.get(row["concept_id"], {}).get("f1_test"),
            "floor": f1.get(row["concept_id"], {}).get("f1_test_always_on"),
        }
        for row in records(tables.concepts)
    ]


def defined_f1(tables: ReportTables, name: str, split: str = "test") -> dict[str, dict[str, float | None]]:
    """Return concept id to how well its own defined latent in dictionary `name` matches it.

    Each value holds `f1_validation`, `f1_test` and `rank` (1: the latent matches no other concept better),
    None for a latent that never fires, and `f1_test_always_on`, the floor: 2 p / (1 + p) at the concept's
    prevalence p, which is the average precision of the method `prevalence`.
    """
    latents = tables.latents
    defined = latents[(latents["method"] == name) & (latents["kind"] == "defined")]
    own = {int(row["latent"]): text(row["concept_id"]) for row in records(defined)}
    scored = tables.concept_metrics
    constant = scored[(scored["method"] == "prevalence") & (scored["split"] == split)]
    prevalence = {row["concept_id"]: number(row["average_precision"]) for row in records(constant)}
    matched = {
        row["concept_id"]: row
        for row in records(tables.latent_concepts)
        if row["method"] == name and own.get(int(row["latent"])) == row["concept_id"]
    }
    found: dict[str, dict[str, float | None]] = {}
    for concept_id in own.values():
        p = prevalence.get(concept_id)
        match = matched.get(concept_id, {})
        found[concept_id] = {key: number(match.get(key)) for key in ("f1_validation", "f1_test", "rank")}
        found[concept_id]["f1_test_always_on"] = None if p is None else 2 * p / (1 + p)
    return found


def left_out(tables: ReportTables) -> dict[str, Any]:
    """Return what was left out and why: proteins, annotation ids, concepts; the first are listed."""
    ids = tables.annotation_ids
    changed = ids[ids["status"] != "current"].sort_values(["n_rows", "term_id"], ascending=[False, True])
    concepts = tables.concepts_left_out.sort_values(["n_train", "concept_id"], ascending=[False, True])
    return {
        "sequences": flat_counts(tables.sequence_report),
        "annotations": flat_counts(tables.annotation_report),
        "excluded": int((tables.proteins["split"] == EXCLUDED).sum()),
        "audit": _records(tables.split_audit),
        "id_status": _counted(ids["status"]),
        "ids": _listed(changed),
        "reasons": _counted(concepts["reason"]),
        "concepts": _listed(concepts),
    }


def _counted(column: pd.Series) -> list[dict[str, str]]:
    counts = column.map(text).value_counts()
    pairs = sorted(counts.items(), key=lambda pair: (-int(pair[1]), str(pair[0])))
    return [{"label": str(label), "value": f"{int(count):,}"} for label, count in pairs]


def _listed(table: pd.DataFrame) -> dict[str, Any]:
    return {"rows": _records(table.head(MAX_LISTED)), "n_more": max(len(table) - MAX_LISTED, 0)}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(key): _scalar(value) for key, value in record.items()} for record in table.to_dict("records")
    ]


def _scalar(value: object) -> str | int | float:
    if isinstance(value, bool | str):
        return str(value)
    found = number(value)
    if found is None:
        return ""
    return int(found) if found.is_integer() else round(found, 4)


def flat_counts(report: Mapping[str, Any], prefix: str = "") -> list[dict[str, str]]:
    """Flatten a nested report to label and value pairs, in its order; of a list, its length and start."""
    pairs: list[dict[str, str]] = []
    for key, value in report.items():
        label = f"{prefix}{str(key).removeprefix('n_').replace('_', ' ')}"
        if isinstance(value, Mapping):
            pairs += flat_counts(value, f"{label}: ")
        elif isinstance(value, list | tuple):
            shown = ", ".join(str(item) for item in value[:5]) + (", ..." if len(value) > 5 else "")
            pairs.append({"label": label, "value": f"{len(value):,}" + (f" ({shown})" if value else "")})
        elif isinstance(value, int) and not isinstance(value, bool):
            pairs.append({"label": label, "value": f"{value:,}"})
        else:
            pairs.append({"label": label, "value": text(value)})
    return pairs
