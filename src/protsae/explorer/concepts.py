"""Data files of concepts: their list, and in chunks which latent of which dictionary finds each."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from protsae.disentanglement.nesting import nearest_pairs
from protsae.explorer.latents import DataFile
from protsae.explorer.literals import coded, decimals, rounded, table, texts, whole
from protsae.explorer.overview import CHUNK
from protsae.explorer.rows import by_key, cells, chunks, records
from protsae.explorer.tables import ExplorerTables
from protsae.reporting.style import FLOORS

_SPLIT = "test"
_PLACES = 3


def concept_files(tables: ExplorerTables, max_missing: int) -> Iterator[DataFile]:
    """Yield the data files of all concepts.

    Args:
        tables: the tables of the run.
        max_missing: proteins per concept that are predicted and not annotated.
    """
    parents, children = _graph(tables)
    yield "concepts", _list(tables, parents)
    scores = _method_rows(tables)
    latents = _best_latents(tables)
    missing = _missing(tables, max_missing)
    definition = texts(tables.concepts["definition"])
    for number, rows in chunks(len(tables.concepts), CHUNK["concept"]):
        yield (
            f"concept-{number}",
            [
                {
                    "definition": definition[row],
                    "parents": parents[row],
                    "children": children[row],
                    "rows": scores.get(row, []),
                    "latents": latents.get(row, []),
                    "missing": missing.get(row, []),
                }
                for row in rows
            ],
        )


def _graph(tables: ExplorerTables) -> tuple[list[list[int]], list[list[int]]]:
    """Return the nearest concepts above and below each."""
    parents: list[list[int]] = [[] for _ in range(len(tables.concepts))]
    children: list[list[int]] = [[] for _ in range(len(tables.concepts))]
    known = np.flatnonzero(tables.concepts["concept_id"].isin(tables.ontology.terms["term_id"]))
    pairs = nearest_pairs(tables.concepts.iloc[known], tables.ontology)
    for child, parent in known[pairs].tolist():
        parents[child].append(parent)
        children[parent].append(child)
    return parents, children


def _list(tables: ExplorerTables, parents: list[list[int]]) -> dict[str, Any]:
    concepts = tables.concepts
    columns: dict[str, Any] = {
        "id": texts(concepts["concept_id"]),
        "name": texts(concepts["name"]),
        "aspect": coded(concepts["aspect"]),
        "level": coded(concepts["level"]),
        "n_train": whole(concepts["n_train"]),
        "n_test": whole(concepts["n_test"]),
        "prevalence": rounded(concepts["prevalence_train"]),
        "parents": parents,
    }
    for position, name in enumerate(tables.order):
        columns |= {f"{column}_{position}": values for column, values in _best_of(tables, name).items()}
    return table(columns)


def _best_of(tables: ExplorerTables, name: str) -> dict[str, list[Any]]:
    """Return how well a dictionary finds each concept: F1 of its first latent, AUC and AUPR of the latent
    that stands for it."""
    alignment = tables.concept_alignment
    level = np.where(tables.concepts["level"] == "residue", "residue", "protein")
    keys = pd.MultiIndex.from_arrays([tables.concepts["concept_id"], level])
    first = alignment[(alignment["method"] == name) & (alignment["rank"] == 1)]
    first = first.drop_duplicates(["concept_id", "level"]).set_index(["concept_id", "level"]).reindex(keys)
    metrics = tables.concept_metrics
    own = metrics[(metrics["method"] == f"{name}_latent") & (metrics["split"] == _SPLIT)]
    own = own.drop_duplicates("concept_idx").set_index("concept_idx").reindex(tables.concepts["concept_idx"])
    scorers = _scorers(tables, name)
    scorers = scorers[scorers["score"] == "latent"] if len(scorers) else scorers
    intervals = scorers.drop_duplicates("concept_idx").set_index("concept_idx")
    intervals = intervals.reindex(tables.concepts["concept_idx"])

    to_places = partial(decimals, places=_PLACES)
    nothing = np.full(len(keys), np.nan)
    latent = first["latent"].to_numpy(np.float64)
    return {
        "latent": [None if np.isnan(found) else int(found) for found in latent],
        "f1": to_places(first["f1_test"]),
        "f1_low": to_places(first["low"]),
        "f1_high": to_places(first["high"]),
        "floor": to_places(first["f1_always_on"]),
        "auc": to_places(own["auc"]),
        "auc_low": to_places(intervals.get("auc_low", nothing)),
        "auc_high": to_places(intervals.get("auc_high", nothing)),
        "aupr": to_places(own["average_precision"]),
        "aupr_low": to_places(intervals.get("aupr_low", nothing)),
        "aupr_high": to_places(intervals.get("aupr_high", nothing)),
    }


def _scorers(tables: ExplorerTables, name: str) -> pd.DataFrame:
    scorers = tables.of[name].concept_scorers
    return pd.DataFrame(columns=["concept_idx", "score"]) if scorers is None else scorers


def _method_rows(tables: ExplorerTables) -> dict[int, list[dict[str, Any]]]:
    """Return how every method scores each concept: those with a dictionary first, floors last."""
    metrics = tables.concept_metrics[tables.concept_metrics["split"] == _SPLIT]
    supervision = dict(zip(tables.metrics["method"], tables.metrics["supervision"], strict=True))
    owner = {method: name for name in tables.order for method in tables.dictionaries.methods(name)}
    scorers = {
        (f"{name}_{row['score']}", row["concept_idx"]): row
        for name in tables.order
        for row in records(_scorers(tables, name))
    }
    found = []
    for row in records(metrics):
        method = row["method"]
        scorer = scorers.get((method, row["concept_idx"]), {})
        name = owner.get(method)
        found.append(
            {
                "dictionary": None if name is None else tables.order.index(name),
                "method": method,
                "label": tables.dictionaries.method_label(method),
                "supervision": supervision.get(method),
                "floor": method in FLOORS,
                "pooling": row["pooling"],
                "n_positive": row["n_positive"],
                "auc": row["auc"],
                "aupr": row["average_precision"],
                **cells(scorer, ("latent", "sign", "threshold", "prevalence")),
                **cells(scorer, ("auc_low", "auc_high", "aupr_low", "aupr_high")),
                "f1": scorer.get("f1_test"),
            }
        )
    found = [{key: value for key, value in row.items() if value is not None} for row in found]
    found_by = by_key(found, metrics["concept_idx"])
    for rows in found_by.values():
        rows.sort(key=lambda row: (row["floor"], "dictionary" not in row, -row.get("auc", 0.0)))
    return found_by


def _best_latents(tables: ExplorerTables) -> dict[int, list[dict[str, Any]]]:
    """Return the latents of every dictionary that match each concept, with their floors."""
    alignment = tables.concept_alignment[tables.concept_alignment["method"].isin(tables.order)]
    alignment = alignment.assign(concept=tables.concept(alignment["concept_id"]))
    alignment = alignment[alignment["concept"] >= 0]
    columns = {"f1_validation": "f1_validation", "f1_test": "f1_test", "low": "low", "high": "high"}
    floors = {"f1_always_on": "floor", "f1_identity": "identity_floor"}
    names = {"level": "level", "rank": "rank", "latent": "latent", "threshold": "threshold"}
    renamed = alignment.rename(columns=columns | floors)
    rows = records(renamed, [*names, *columns.values(), *floors.values(), "is_found"])
    position = [tables.order.index(name) for name in alignment["method"]]
    return by_key(
        [{"dictionary": own, **row} for own, row in zip(position, rows, strict=True)], alignment["concept"]
    )


_EVIDENCE = ("nearest_annotated_id", "nearest_annotated_by", "nearest_similarity")


def _missing(tables: ExplorerTables, most: int) -> dict[int, list[dict[str, Any]]]:
    """Return the proteins that each concept may be missing from, the likeliest first."""
    found: dict[int, list[dict[str, Any]]] = {}
    for position, name in enumerate(tables.order):
        rows = tables.of[name].missing_annotations
        if rows is None:
            continue
        columns = [c for c in rows.columns if c not in ("method", "concept_id", "name", "aspect", "rank")]
        listed = [
            {
                "dictionary": position,
                "protein": protein,
                "description": about,
                **row,
                "evidence": _evidence(row),
            }
            for protein, about, row in zip(
                whole(tables.protein(rows["protein_id"])),
                tables.descriptions(rows["protein_id"]),
                records(rows, columns),
                strict=True,
            )
        ]
        for key, own in by_key(listed, tables.concept(rows["concept_id"])).items():
            found.setdefault(key, []).extend(own[:most])
    return found


def _evidence(row: Mapping[str, Any]) -> str:
    """Return in words which annotated protein is similar."""
    name, by, similarity = (row.get(column) for column in _EVIDENCE)
    if not name:
        return ""
    measure = "identity" if by == "sequence" else "cosine of activations"
    return f"similar to {name}, which is annotated ({measure} {similarity})"
