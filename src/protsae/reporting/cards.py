"""Latent cards: the latent's concept, how well it matches, and the residues where it is active."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from protsae.reporting.concepts import defined_f1
from protsae.reporting.config import CardLimits
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.selection import blank, number, records, text
from protsae.reporting.tables import ReportTables

# https://www.uniprot.org/help/accession_numbers
_UNIPROT = re.compile(r"[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2}")
_STATISTICS = ("density_test", "gate_rate", "mean_lift", "max_act")
_SCORES = ("f1_validation", "f1_test", "f1_test_always_on", "rank")
_DIGITS = 3


def is_uniprot_accession(protein_id: str) -> bool:
    """Say whether an id has the form of a UniProt accession, so that it can be linked."""
    return _UNIPROT.fullmatch(protein_id) is not None


def latent_cards(tables: ReportTables, limits: CardLimits, dictionaries: Dictionaries) -> dict[str, Any]:
    """Return the cards and how many latents there were to choose from.

    A defined latent is judged by its own concept, a free one by its best. Chosen by F1 on validation, so that
    test values on the cards are not selected; shown in that order too, defined ones first, dictionary by
    dictionary.

    Returns:
        `cards`, a list of records; `n_defined` and `n_free`, the numbers of latents; `shown_defined` and
        `shown_free`, how many of them have a card.
    """
    lookup = _Lookup(tables, limits.max_examples, dictionaries)
    cards = [lookup.scores(row) for row in records(tables.latents)]
    defined = [card for card in cards if card["kind"] == "defined"]
    free = [card for card in cards if card["kind"] != "defined"]
    shown_defined, shown_free = [], []
    for name in dictionaries.order:
        own = [card for card in free if card["method"] == name and card["concept_id"]]
        shown_free += _best(own, limits.max_free)
        shown_defined += _best([card for card in defined if card["method"] == name], limits.max_defined)
    return {
        "cards": [lookup.card(card) for card in shown_defined + shown_free],
        "n_defined": len(defined),
        "n_free": len(free),
        "shown_defined": len(shown_defined),
        "shown_free": len(shown_free),
    }


def _best(cards: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    def order(card: dict[str, Any]) -> tuple[float, int]:
        quality = card["f1_validation"]
        return (0.0 if quality is None else -quality, card["latent"])

    return sorted(cards, key=order)[:limit]


class _Lookup:
    """The tables a card is filled from, by latent and by concept."""

    def __init__(self, tables: ReportTables, max_examples: int, dictionaries: Dictionaries) -> None:
        self._dictionaries = dictionaries
        self._concepts = {row["concept_id"]: row for row in records(tables.concepts)}
        self._statistics = {
            (method, int(row["latent"])): row
            for method, table in tables.statistics.items()
            for row in records(table)
        }
        scored = tables.concept_metrics
        scored = scored[scored["split"] == "test"]
        self._auc = {(row["method"], row["concept_id"]): number(row["auc"]) for row in records(scored)}
        self._own_f1 = {name: defined_f1(tables, name) for name in dictionaries.guided}
        self._concept_ranks = _grouped(tables.latent_concepts, None)
        self._examples = _grouped(tables.latent_examples, max_examples)

    def scores(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return which latent a row of `latents` is, its concept, and F1 with its floor."""
        defined = row["kind"] == "defined"
        concept_id = text(row["concept_id"] if defined else row["best_concept_id"])
        source = self._own_f1.get(row["method"], {}).get(concept_id, {}) if defined else row
        return {
            "method": str(row["method"]),
            "latent": int(row["latent"]),
            "kind": str(row["kind"]),
            "concept_id": concept_id,
            "name": text(row["name"] if defined else row["best_concept_name"]) or f"latent {row['latent']}",
            "top_residues": text(row["top_residues"]),
            **{name: number(source.get(name)) for name in _SCORES},
        }

    def card(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """Return a whole card: scores, texts, numbers, concepts, examples; None or empty where none."""
        key = (scores["method"], scores["latent"])
        concept = self._concepts.get(scores["concept_id"], {})
        statistics = self._statistics.get(key, {})
        return {
            **scores,
            "method_label": self._dictionaries.label(scores["method"]),
            "tone": self._dictionaries.place(scores["method"]),
            "aspect": text(concept.get("aspect")),
            "definition": text(concept.get("definition")),
            "auc": self._auc.get((f"{scores['method']}_latent", scores["concept_id"]))
            if scores["kind"] == "defined"
            else None,
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
        "rank": int(row["rank"]),
        "id": text(row["concept_id"]),
        "name": text(row["name"]),
        **{name: number(row[name]) for name in names},
    }


def _example(row: dict[str, Any]) -> dict[str, Any]:
    """Return one example window in short keys: they repeat some thousand times on the page."""
    protein_id = text(row["protein_id"])
    has_concept = row["has_concept"]
    return {
        "id": protein_id,
        "link": is_uniprot_accession(protein_id),
        "about": text(row["description"]),
        "split": text(row["split"]),
        "peak": int(row["peak_index"]) + 1,
        "start": int(row["window_start"]) + 1,
        "seq": text(row["window_sequence"]),
        "acts": [_rounded(value) for value in row["window_acts"]],
        "has": None if blank(has_concept) else bool(has_concept),
    }


def _rounded(value: object) -> float:
    found = number(value) or 0.0
    return float(f"{found:.{_DIGITS}g}")
