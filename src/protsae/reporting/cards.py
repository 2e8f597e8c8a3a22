"""Latent cards: what a latent is, how well it stands for a concept, and where in which proteins it fires."""

import re
from typing import Any

import pandas as pd

from protsae.reporting.config import CardLimits
from protsae.reporting.selection import blank, number, records, text
from protsae.reporting.style import known_first, method_label
from protsae.reporting.tables import ReportTables

# https://www.uniprot.org/help/accession_numbers
_UNIPROT = re.compile(r"[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2}")
_STATISTICS = ("density_test", "gate_rate", "mean_lift", "max_act")
_DIGITS = 3


def is_uniprot_accession(protein_id: str) -> bool:
    """Say whether an id has the form of a UniProt accession, so that it can be linked."""
    return _UNIPROT.fullmatch(protein_id) is not None


def latent_cards(tables: ReportTables, limits: CardLimits) -> dict[str, Any]:
    """Return the cards and how many latents there were to choose from.

    Chosen by F1 on validation, so that test values on the cards are not selected; shown in that order too.

    Returns:
        `cards`, a list of records; `n_defined` and `n_free`, the numbers of latents; `shown_defined` and
        `shown_free`, how many of them have a card.
    """
    latents = tables.latents
    is_defined = latents["kind"] == "defined"
    defined = _best(latents[is_defined], limits.max_defined)
    candidates = latents[~is_defined & latents["f1_validation"].notna()]
    free = [
        _best(candidates[candidates["method"] == method], limits.max_free)
        for method in known_first(latents["method"].tolist(), ("protsae", "topk"))
    ]
    chosen = pd.concat([defined, *free])
    lookup = _Lookup(tables, limits.max_examples)
    return {
        "cards": [lookup.card(row) for row in records(chosen)],
        "n_defined": int(is_defined.sum()),
        "n_free": int((~is_defined).sum()),
        "shown_defined": len(defined),
        "shown_free": len(chosen) - len(defined),
    }


def _best(latents: pd.DataFrame, limit: int) -> pd.DataFrame:
    order = ["f1_validation", "method", "latent"]
    return latents.sort_values(order, ascending=[False, True, True], na_position="last").head(limit)


class _Lookup:
    """The tables a card is filled from, by latent and by concept."""

    def __init__(self, tables: ReportTables, max_examples: int) -> None:
        self._concepts = {row["concept_id"]: row for row in records(tables.concepts)}
        self._statistics = {
            (method, int(row["latent"])): row
            for method, table in tables.statistics.items()
            for row in records(table)
        }
        scored = tables.concept_metrics
        scored = scored[(scored["split"] == "test") & (scored["method"] == "protsae_latent")]
        self._auc = {row["concept_id"]: number(row["auc"]) for row in records(scored)}
        self._concept_ranks = _grouped(tables.latent_concepts, None)
        self._examples = _grouped(tables.latent_examples, max_examples)

    def card(self, latent: dict[str, Any]) -> dict[str, Any]:
        """Return one card: texts, numbers, concepts and examples; None or empty where a table has nothing."""
        key = (str(latent["method"]), int(latent["latent"]))
        defined = latent["kind"] == "defined"
        concept_id = text(latent["concept_id"] if defined else latent["best_concept_id"])
        concept = self._concepts.get(concept_id, {})
        statistics = self._statistics.get(key, {})
        return {
            "method": key[0],
            "method_label": method_label(key[0]),
            "latent": key[1],
            "kind": str(latent["kind"]),
            "concept_id": concept_id,
            "name": text(latent["name"]) or text(latent["best_concept_name"]) or f"latent {key[1]}",
            "aspect": text(concept.get("aspect")),
            "definition": text(concept.get("definition")),
            "auc": self._auc.get(concept_id) if defined else None,
            "top_residues": text(latent["top_residues"]),
            **{name: number(latent[name]) for name in ("f1_validation", "f1_test", "f1_test_always_on")},
            **{name: number(statistics.get(name)) for name in _STATISTICS},
            "concepts": [_concept_match(row) for row in self._concept_ranks.get(key, [])],
            "examples": [_example(row) for row in self._examples.get(key, [])],
        }


def _grouped(table: pd.DataFrame, limit: int | None) -> dict[tuple[str, int], list[dict[str, Any]]]:
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in records(table.sort_values(["method", "latent", "rank"], kind="stable")):
        found = groups.setdefault((str(row["method"]), int(row["latent"])), [])
        if limit is None or len(found) < limit:
            found.append(row)
    return groups


def _concept_match(row: dict[str, Any]) -> dict[str, Any]:
    names = ("f1_validation", "f1_test", "precision_test", "recall_test")
    return {
        "id": text(row["concept_id"]),
        "name": text(row["name"]),
        **{name: number(row[name]) for name in names},
    }


def _example(row: dict[str, Any]) -> dict[str, Any]:
    """Return one example window in short keys: they repeat some hundred times on the page."""
    protein_id = text(row["protein_id"])
    has_concept = row["has_concept"]
    return {
        "id": protein_id,
        "link": is_uniprot_accession(protein_id),
        "about": text(row["description"]),
        "max": _rounded(row["max_act"]),
        "peak": int(row["peak_index"]) + 1,
        "start": int(row["window_start"]) + 1,
        "seq": text(row["window_sequence"]),
        "acts": [_rounded(value) for value in row["window_acts"]],
        "has": None if blank(has_concept) else bool(has_concept),
    }


def _rounded(value: object) -> float:
    found = number(value) or 0.0
    return float(f"{found:.{_DIGITS}g}")
