"""Data files of latents: the list of each dictionary, their sentences, and their cards in chunks."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from protsae.explorer.literals import coded, decimals, rounded, table, whole
from protsae.explorer.overview import CHUNK
from protsae.explorer.rows import Rows, by_key, chunks, records
from protsae.explorer.tables import DictionaryTables, ExplorerTables

DataFile = tuple[str, Any]
"""Name and value of a data file."""
_MAX_ENRICHED = 10
_PLACES = 3
"""Decimals of coordinates and scores."""


def latent_files(tables: ExplorerTables) -> Iterator[DataFile]:
    """Yield the data files of all latents of all dictionaries."""
    for position, name in enumerate(tables.order):
        own = tables.of[name]
        said = _sentences(own)
        yield f"latents-{position}", _list(tables, own, said)
        sentences = [row["sentence"] if row else None for row in said]
        for number, rows in chunks(own.n_latents, CHUNK["sentences"]):
            yield f"sentences-{position}-{number}", [sentences[row] for row in rows]
        cards = _Cards(tables, name)
        for number, rows in chunks(own.n_latents, CHUNK["latent"]):
            yield f"latent-{position}-{number}", [cards.card(row) for row in rows]


def _sentences(own: DictionaryTables) -> list[dict[str, Any] | None]:
    """Return the explanation that stands in the list of each latent: the rules', else the first there is."""
    found: list[dict[str, Any] | None] = [None] * own.n_latents
    if own.explanations is not None:
        ordered = own.explanations.sort_values("is_generated", kind="stable")
        for row in records(ordered.drop_duplicates("latent")):
            found[row["latent"]] = row
    return found


def _shown(own: DictionaryTables) -> pd.DataFrame:
    """Return one row per latent, sorted by latent: the cards, or without them the table `latents`."""
    found = own.latents if own.latent_cards is None else own.latent_cards
    return found.sort_values("latent", ignore_index=True)


def _concepts_of(tables: ExplorerTables, shown: pd.DataFrame) -> list[int]:
    """Return each latent's own concept, for free latents the best one."""
    own, best = tables.concept(shown["concept_id"]), tables.concept(shown["best_concept_id"])
    return whole(np.where(own >= 0, own, best))


def _list(tables: ExplorerTables, own: DictionaryTables, said: list[dict[str, Any] | None]) -> dict[str, Any]:
    """Return the list of a dictionary's latents."""
    shown = _shown(own)
    nothing = np.full(len(shown), np.nan)

    def numbers(name: str) -> list[float | None]:
        return decimals(shown.get(name, nothing), _PLACES)

    def identifiers(name: str) -> Sequence[int | None]:
        return whole(shown[name]) if name in shown else [None] * len(shown)

    density = shown["density"] if "density" in shown else shown["density_test"]
    return table(
        {
            "kind": coded(shown["kind"]),
            "density": rounded(density),
            "max_act": rounded(shown["max_act"]),
            "concept": _concepts_of(tables, shown),
            "best": whole(tables.concept(shown["best_concept_id"])),
            "f1": numbers("f1_test"),
            "floor": numbers("f1_test_always_on"),
            "residue_f1": numbers("residue_f1_test"),
            "shape": coded(shown.get("shape", [None] * len(shown))),
            "family": identifiers("family"),
            "topic": identifiers("topic"),
            "confidence": coded(row and row.get("confidence") for row in said),
            "detection": [row and row.get("detection") for row in said],
            "detection_floor": [row and row.get("detection_floor") for row in said],
            "x": numbers("x"),
            "y": numbers("y"),
        }
    )


class _Cards:
    """What is known of every latent of a dictionary."""

    def __init__(self, tables: ExplorerTables, name: str) -> None:
        own = tables.of[name]
        shown = _shown(own)
        self._rows = Rows(shown)
        self._concept = _concepts_of(tables, shown)
        self._explanations = _grouped(own.explanations)
        self._windows = _windows(tables, own, self._concept)
        self._concepts = _matched(tables, name)
        self._enrichment = _enriched(tables, own)
        self._monosemanticity = _grouped(own.monosemanticity)

    def card(self, latent: int) -> dict[str, Any]:
        """Return the card of a latent."""
        return {
            **self._rows[latent],
            "concept": self._concept[latent],
            "explanations": self._explanations.get(latent, []),
            "windows": self._windows.get(latent, []),
            "concepts": self._concepts.get(latent, []),
            "enrichment": self._enrichment.get(latent, []),
            "monosemanticities": self._monosemanticity.get(latent, []),
        }


def _grouped(rows: pd.DataFrame | None) -> dict[int, list[dict[str, Any]]]:
    """Return the rows of each latent."""
    if rows is None:
        return {}
    columns = [name for name in rows.columns if name not in ("method", "latent")]
    return by_key(records(rows, columns), rows["latent"])


def _windows(
    tables: ExplorerTables, own: DictionaryTables, concept: list[int]
) -> dict[int, list[dict[str, Any]]]:
    """Return the windows of each latent; without the cards' the examples of the interpretation.

    Args:
        tables: the tables of the run.
        own: those of the dictionary.
        concept: of each latent; windows say whether their protein is annotated with it.
    """
    rows = own.latent_windows
    if rows is None:
        rows = own.latent_examples.assign(quantile=1.0)
    protein = whole(tables.protein(rows["protein_id"]))
    of = np.array(concept)[rows["latent"].to_numpy(np.int64)]
    has = tables.carries(rows["protein_id"], of)
    names = ("protein_id", "split", "quantile", "rank", "max_act", "peak_index", "window_start")
    found = records(rows, [*names, "window_sequence", "window_acts"])
    windows = [
        {
            "protein": position,
            **{name: row[name] for name in names[:5]},
            "peak": row["peak_index"],
            "start": row["window_start"],
            "seq": row["window_sequence"],
            "acts": row["window_acts"],
            "has": carries,
            **({"description": about} if about else {}),
        }
        for position, carries, about, row in zip(
            protein, has, tables.descriptions(rows["protein_id"]), found, strict=True
        )
    ]
    return by_key(windows, rows["latent"])


def _matched(tables: ExplorerTables, name: str) -> dict[int, list[dict[str, Any]]]:
    """Return the concepts that each latent matches: of proteins, then of residues."""
    scores = ("threshold", "f1_validation", "f1_test", "precision_test", "recall_test")
    proteins = tables.of[name].latent_concepts.assign(level="protein", floor=np.nan)
    always_on = tables.concept_alignment.drop_duplicates(["level", "concept_id"])
    floor = always_on[always_on["level"] == "protein"].set_index("concept_id")["f1_always_on"]
    proteins["floor"] = proteins["concept_id"].map(floor)
    alignment = tables.concept_alignment
    residues = alignment[(alignment["method"] == name) & (alignment["level"] != "protein")]
    residues = residues.rename(columns={"f1_always_on": "floor"})
    columns = ["latent", "concept_id", "level", "floor", *scores]
    rows = pd.concat([proteins[columns], residues[columns]], ignore_index=True)
    concept = whole(tables.concept(rows["concept_id"]))
    found = [
        {"concept": position, **row}
        for position, row in zip(concept, records(rows, ("level", "floor", *scores)), strict=True)
    ]
    return by_key(found, rows["latent"])


def _enriched(tables: ExplorerTables, own: DictionaryTables) -> dict[int, list[dict[str, Any]]]:
    """Return the terms that the strongest proteins of each latent are enriched in, the surest first."""
    if own.latent_enrichment is None:
        return {}
    rows = own.latent_enrichment.sort_values(["latent", "q_value"], kind="stable")
    rows = rows[rows.groupby("latent").cumcount() < _MAX_ENRICHED]
    concept = whole(tables.concept(rows["concept_id"]))
    columns = [name for name in rows.columns if name not in ("method", "latent", "rank")]
    found = [
        {"concept": position, **row} for position, row in zip(concept, records(rows, columns), strict=True)
    ]
    return by_key(found, rows["latent"])
