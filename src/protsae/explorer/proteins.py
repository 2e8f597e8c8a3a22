"""Data files of proteins: their list, and in chunks sequence, concepts and the strongest latents along it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.encoding.codes import CodeStore
from protsae.explorer.attribution import Attributed
from protsae.explorer.config import ExplorerConfig
from protsae.explorer.latents import DataFile
from protsae.explorer.literals import coded, decimals, rounded, table, texts, whole
from protsae.explorer.overview import CHUNK
from protsae.explorer.rows import by_key, chunks
from protsae.explorer.tables import ExplorerTables
from protsae.probing.scorers import KINDS, calibration_of

FULL = 255
"""What the largest code of a latent is written as in a track."""
Track = dict[str, Any]


def protein_files(
    tables: ExplorerTables,
    config: ExplorerConfig,
    structures: Mapping[int, list[dict[str, Any]]],
    attributed: Attributed,
) -> Iterator[DataFile]:
    """Yield the data files of all proteins; of those without a page the list has the row only.

    Args:
        tables: the tables of the run.
        config: which proteins get a page, and what is on it.
        structures: protein to what there is of its structures.
        attributed: predictions that were divided among residues.

    Raises:
        InputError: `config.proteins` names a protein that the run does not have.
    """
    proteins = tables.proteins
    has_page = pages(tables, config)
    yield (
        "proteins",
        table(
            {
                "id": texts(proteins["protein_id"]),
                "length": whole(proteins["length"]),
                "split": coded(proteins["split"]),
                "nearest_identity": decimals(proteins["nearest_train_identity"], 3),
                **({} if has_page.all() else {"has_page": has_page.tolist()}),
            }
        ),
    )
    yield "protein-ids", texts(proteins["protein_id"])
    yield from _per_protein("descriptions", texts(proteins["description"]))
    yield from _per_protein("sequences", proteins["sequence"].tolist())
    known, spans = _known(tables), _spans(tables)
    predicted = Predictions(tables, config.max_predicted)
    tracks = [
        (position, Tracks(tables.of[name].residue_codes, tables.of[name].latents, config.max_tracks))
        for position, name in enumerate(tables.order)
    ]
    ids, nearest = texts(proteins["protein_id"]), texts(proteins["nearest_train_id"])
    sequences = proteins["sequence"].tolist()
    about: dict[str, Sequence[Any]] = {
        "description": texts(proteins["description"]),
        "split": texts(proteins["split"]),
        "nearest_identity": decimals(proteins["nearest_train_identity"], 3),
    }

    def page(row: int) -> dict[str, Any]:
        found = [(position, *own.of(ids[row])) for position, own in tracks]
        return {
            "sequence": sequences[row],
            **{name: values[row] for name, values in about.items()},
            "nearest_id": nearest[row],
            "known": known.get(row, []),
            "predicted": predicted.of(ids[row]),
            "spans": spans.get(row, []),
            "tracks": [{"dictionary": p, **track} for p, listed, _ in found for track in listed],
            "n_fired": [n for _, _, n in found],
            "structures": structures.get(row, []),
            "attributions": attributed.of(ids[row], sequences[row]),
        }

    for number, rows in chunks(len(proteins), CHUNK["protein"]):
        yield f"protein-{number}", [page(row) if has_page[row] else None for row in rows]


def pages(tables: ExplorerTables, config: ExplorerConfig) -> NDArray[np.bool_]:
    """Return which proteins get a page [n_proteins].

    Raises:
        InputError: the list names a protein that the run does not have.
    """
    chosen = np.ones(len(tables.proteins), dtype=bool)
    if config.proteins is not None:
        rows = tables.protein(config.proteins)
        if (rows < 0).any():
            unknown = config.proteins[int(np.argmin(rows))]
            raise InputError(
                f"explorer.proteins names {unknown!r}, no protein of this run: take ids of the table "
                "proteins, or null for all of them"
            )
        chosen[:] = False
        chosen[rows] = True
    return chosen


def _per_protein(name: str, values: list[str]) -> Iterator[DataFile]:
    """Yield one text per protein, in chunks."""
    for number, rows in chunks(len(values), CHUNK[name]):
        yield f"{name}-{number}", [values[row] for row in rows]


def _known(tables: ExplorerTables) -> dict[int, list[dict[str, Any]]]:
    """Return the annotated concepts of each protein, direct ones first."""
    labels = tables.protein_labels
    ids = tables.concepts["concept_id"].to_numpy(object)[labels["concept_idx"]]
    stated = tables.protein_concepts[tables.protein_concepts["is_direct"]]
    pairs = pd.MultiIndex.from_arrays([stated["protein_id"].astype(str), stated["concept_id"].astype(str)])
    own = pd.MultiIndex.from_arrays([labels["protein_id"].astype(str), ids])
    direct = own.isin(pairs)
    order = np.argsort(~direct, kind="stable")
    rows = [
        {"concept": concept, "direct": is_direct}
        for concept, is_direct in zip(
            whole(labels["concept_idx"].to_numpy()[order]), direct[order].tolist(), strict=True
        )
    ]
    return by_key(rows, tables.protein(labels["protein_id"].astype(str))[order])


def _spans(tables: ExplorerTables) -> dict[int, list[dict[str, Any]]]:
    """Return the annotated residues of each protein, 0-based, end exclusive."""
    labels = tables.residue_labels
    columns = [whole(labels[name]) for name in ("concept_idx", "start", "end")]
    rows = [dict(zip(("concept", "start", "end"), row, strict=True)) for row in zip(*columns, strict=True)]
    return by_key(rows, tables.protein(labels["protein_id"].astype(str)))


class Predictions:
    """What the subject says of proteins, as probabilities: its predictor, else its latents.

    Args:
        tables: the tables of the run.
        most: concepts per protein.
    """

    def __init__(self, tables: ExplorerTables, most: int) -> None:
        self._most = most
        own = tables.of[tables.dictionaries.subject]
        self._row, self._known = {}, {}
        self._probabilities = np.empty((0, 0))
        if own.concept_scorers is None or own.concept_scorers.empty:
            return
        kind = next(kind for kind in KINDS if (own.concept_scorers["score"] == kind).any())
        scorers = own.concept_scorers[own.concept_scorers["score"] == kind]
        self._concepts = scorers["concept_idx"].to_numpy(np.int64)
        self._thresholds = rounded(scorers["threshold"])
        self._probabilities = calibration_of(scorers).probabilities(_scores(own.encoding, scorers))
        self._row = {name: row for row, name in enumerate(own.encoding["protein_id"].astype(str))}
        labels = tables.protein_labels
        self._known = labels.groupby(labels["protein_id"].astype(str))["concept_idx"].agg(set).to_dict()

    def of(self, protein_id: str) -> list[dict[str, Any]]:
        """Return the most probable concepts of a protein; none where it was not encoded."""
        row = self._row.get(protein_id)
        if row is None:
            return []
        probabilities = self._probabilities[row]
        order = np.argsort(-probabilities, kind="stable")[: self._most]
        known = self._known.get(protein_id, set())
        return [
            {
                "concept": concept,
                "probability": probability,
                "threshold": self._thresholds[place],
                "known": concept in known,
            }
            for place, concept, probability in zip(
                order.tolist(), self._concepts[order].tolist(), rounded(probabilities[order]), strict=True
            )
        ]


def _scores(encoding: pd.DataFrame, scorers: pd.DataFrame) -> NDArray[np.float64]:
    """Return the score of each protein by each row of `scorer_table` [n_proteins, n_scorers]."""
    found = np.empty((len(encoding), len(scorers)))
    columns = np.where(scorers["latent"] < 0, scorers["concept_idx"], scorers["latent"])
    sources = np.where(scorers["latent"] < 0, "protein_logits", scorers["pooling"].astype(str) + "_latents")
    for source in np.unique(sources):
        of = np.flatnonzero(sources == source)
        found[:, of] = np.stack([values[columns[of]] for values in encoding[source]])
    signed: NDArray[np.float64] = found * scorers["sign"].to_numpy(np.float64)
    return signed


class Tracks:
    """The strongest latents of a dictionary along sequences.

    Args:
        codes: its codes of residues.
        latents: `latent`, `max_act`.
        most: tracks per protein.
    """

    def __init__(self, codes: CodeStore, latents: pd.DataFrame, most: int) -> None:
        self._codes, self._most = codes, most
        self._coded = set(codes.protein_ids)
        self._full = latents.sort_values("latent")["max_act"].to_numpy(np.float64)

    def of(self, protein_id: str) -> tuple[list[Track], int | None]:
        """Return the tracks of a protein, and how many latents are active on it; None: it is not coded.

        Latents are ranked by their largest code in the protein as a share of their largest code anywhere.
        """
        if protein_id not in self._coded:
            return [], None
        codes = self._codes.codes(protein_id)
        place = np.repeat(self._codes.residue_index(protein_id), np.diff(codes.indptr))
        full = np.maximum(self._full[codes.latents], codes.values)
        share = codes.values / full
        order = np.lexsort((place, codes.latents))
        latent, first = np.unique(codes.latents[order], return_index=True)
        peak = np.maximum.reduceat(share[order], first) if len(first) else np.zeros(0)
        ends = np.append(first[1:], len(order))
        chosen = np.argsort(-peak, kind="stable")[: self._most]
        shown = rounded(np.maximum(self._full, 0), 6)
        return [
            {
                "latent": int(latent[number]),
                "max": shown[int(latent[number])],
                "runs": runs(place[rows], share[rows]),
            }
            for number in chosen.tolist()
            if len(rows := order[first[number] : ends[number]])
        ], len(latent)


def runs(place: NDArray[np.integer], share: NDArray[np.floating]) -> list[list[Any]]:
    """Return codes as runs of neighbouring residues: position of the first, and values up to `FULL`.

    A code that is active is never written as 0.

    Args:
        place: positions of residues, ascending.
        share: code of each, as a share of the latent's largest.
    """
    level = np.clip(np.rint(FULL * share), 1, FULL).astype(int)
    starts = np.flatnonzero(np.diff(place, prepend=-2) != 1)
    return [
        [int(place[start]), level[start:end].tolist()]
        for start, end in zip(starts, [*starts[1:], len(place)], strict=True)
    ]
