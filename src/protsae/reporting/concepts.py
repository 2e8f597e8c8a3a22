"""The concept table and the account of what was left out."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from protsae.reporting.selection import number, records, text
from protsae.reporting.style import SPLITS
from protsae.reporting.tables import ReportTables

CONCEPT_METHODS = {"protsae_latent": "ProtSAE", "topk_latent": "TopK", "linear_probe": "probe"}
"""Method to its short name in the heading of the concept table."""
MAX_LISTED = 100


RESIDUE_METHODS = {
    "protsae_predictor": "ProtSAE predictor",
    "protsae_latent": "ProtSAE defined latent",
    "residue_identity": "amino acid alone",
}
"""Scores of residues, and what they are called."""
MAX_RESIDUE_ROWS = 40


def residue_rows(tables: ReportTables) -> dict[str, Any]:
    """Return the concepts of residues with their AUC on test residues, by method; best predictor first.

    Returns:
        `methods` (labels), `rows` (`concept_id`, `name`, `aspect`, `n_positive`, `values`) and `n_more`:
        those that are in residue_concept_metrics.csv only.
    """
    table = tables.residue_concept_metrics
    test = table[table["split"] == "test"]
    found: list[dict[str, Any]] = []
    for concept_id, own in test.groupby("concept_id", sort=True):
        auc = {row["method"]: number(row["auc"]) for row in records(own)}
        first = own.iloc[0]
        found.append(
            {
                "concept_id": text(concept_id),
                "name": text(first["name"]),
                "aspect": text(first["aspect"]),
                "n_positive": int(first["n_positive"]),
                "values": [auc.get(method) for method in RESIDUE_METHODS],
            }
        )
    found.sort(key=lambda row: (-(row["values"][0] or 0.0), row["concept_id"]))
    return {
        "methods": list(RESIDUE_METHODS.values()),
        "rows": found[:MAX_RESIDUE_ROWS],
        "n_more": max(0, len(found) - MAX_RESIDUE_ROWS),
    }


def concept_rows(tables: ReportTables, split: str = "test") -> list[dict[str, Any]]:
    """Return one record per concept: name, aspect, positives per split, AUC per method, F1 of its latent."""
    scored = tables.concept_metrics[tables.concept_metrics["split"] == split]
    auc = {(row["method"], row["concept_id"]): number(row["auc"]) for row in records(scored)}
    f1 = defined_f1(tables)
    return [
        {
            "id": row["concept_id"],
            "name": text(row["name"]),
            "aspect": row["aspect"],
            "n": [int(row[f"n_{name}"]) for name in SPLITS],
            "auc": [auc.get((method, row["concept_id"])) for method in CONCEPT_METHODS],
            "f1": f1.get(row["concept_id"], {}).get("f1_test"),
            "floor": f1.get(row["concept_id"], {}).get("f1_test_always_on"),
        }
        for row in records(tables.concepts)
    ]


def defined_f1(tables: ReportTables, split: str = "test") -> dict[str, dict[str, float | None]]:
    """Return concept id to how well its own defined latent in ProtSAE stands for it.

    Each value holds `f1_validation`, `f1_test` and `rank` (1: the latent stands for no other concept better),
    None for a latent that never fires, and `f1_test_always_on`, the floor: 2 p / (1 + p) at the concept's
    prevalence p, which is the average precision of the method `prevalence`.
    """
    latents = tables.latents
    defined = latents[(latents["method"] == "protsae") & (latents["kind"] == "defined")]
    own = {int(row["latent"]): text(row["concept_id"]) for row in records(defined)}
    scored = tables.concept_metrics
    constant = scored[(scored["method"] == "prevalence") & (scored["split"] == split)]
    prevalence = {row["concept_id"]: number(row["average_precision"]) for row in records(constant)}
    matched = {
        row["concept_id"]: row
        for row in records(tables.latent_concepts)
        if row["method"] == "protsae" and own.get(int(row["latent"])) == row["concept_id"]
    }
    found: dict[str, dict[str, float | None]] = {}
    for concept_id in own.values():
        p = prevalence.get(concept_id)
        match = matched.get(concept_id, {})
        found[concept_id] = {name: number(match.get(name)) for name in ("f1_validation", "f1_test", "rank")}
        found[concept_id]["f1_test_always_on"] = None if p is None else 2 * p / (1 + p)
    return found


def left_out(tables: ReportTables) -> dict[str, Any]:
    """Return what did not take part and why: proteins, annotation ids, concepts; the first are listed."""
    ids = tables.annotation_ids
    changed = ids[ids["status"] != "current"].sort_values(["n_rows", "term_id"], ascending=[False, True])
    concepts = tables.concepts_left_out.sort_values(["n_train", "concept_id"], ascending=[False, True])
    return {
        "sequences": flat_counts(tables.sequence_report),
        "annotations": flat_counts(tables.annotation_report),
        "excluded": int((tables.proteins["split"] == "excluded").sum()),
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
