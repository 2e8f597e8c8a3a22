"""Columns of the tables of a prediction, and the tables of a batch of proteins."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from protsae.encoding.batches import ProteinBatch
from protsae.encoding.reading import BatchEncoding
from protsae.prediction.instrument import Instrument
from protsae.prediction.residues import Carriers, active_codes
from protsae.prediction.scoring import WORTH, Scored
from protsae.prediction.stretches import as_texts, stretches_of
from protsae.probing.scorers import KINDS

_TEXT, _INT, _FLOAT, _BOOL = pa.string(), pa.int32(), pa.float64(), pa.bool_()
_BY_KIND = {
    f"{kind}_{column}": kind_of
    for kind in KINDS
    for column, kind_of in {
        **({"id": _INT} if kind == "latent" else {}),
        "score": _FLOAT,
        "probability": _FLOAT,
        "reached": _BOOL,
        **dict.fromkeys(WORTH, _FLOAT),
    }.items()
}
SCHEMAS: dict[str, pa.Schema] = {
    name: pa.schema(list(columns.items()))
    for name, columns in {
        "proteins": {
            "protein_id": _TEXT,
            "description": _TEXT,
            "length": _INT,
            "n_read": _INT,
            "nearest_train_id": _TEXT,
            "nearest_train_identity": _FLOAT,
            "nearest_train_coverage": _FLOAT,
            "is_far": _BOOL,
            "fve": _FLOAT,
            "n_reached": _INT,
            "n_active": _INT,
            "note": _TEXT,
            "marks": _TEXT,
        },
        "concept_scores": {
            "protein_id": _TEXT,
            "concept_id": _TEXT,
            "name": _TEXT,
            "aspect": _TEXT,
            "reached": _BOOL,
            "residues": _TEXT,
            **_BY_KIND,
            "prevalence": _FLOAT,
            "n_test": _INT,
            "marks": _TEXT,
        },
        "active_latents": {
            "protein_id": _TEXT,
            "rank": _INT,
            "latent": _INT,
            "kind": _TEXT,
            "concept_id": _TEXT,
            "name": _TEXT,
            "strength": _FLOAT,
            "max_act": _FLOAT,
            "peak": _INT,
            "n_residues": _INT,
            "residues": _TEXT,
            "sentence": _TEXT,
            "confidence": _TEXT,
            "marks": _TEXT,
        },
        "latent_stretches": {
            "protein_id": _TEXT,
            "latent": _INT,
            "start": _INT,
            "end": _INT,
            "peak": _INT,
            "strength": _FLOAT,
            "max_act": _FLOAT,
        },
        "residue_tracks": {
            "protein_id": _TEXT,
            "position": _INT,
            "residue": _TEXT,
            "track": _TEXT,
            "id": _TEXT,
            "value": pa.float32(),
        },
    }.items()
}
"""Table to its columns; docs/prediction.md says what they mean."""
MARK = "; "


def table_of(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """Return a table in its schema; what is not given is null."""
    n_rows = max((len(values) for values in columns.values()), default=0)
    schema = SCHEMAS[name]
    return pa.table(
        [
            pa.array(columns[field.name], field.type, from_pandas=True)
            if field.name in columns
            else pa.nulls(n_rows, field.type)
            for field in schema
        ],
        schema=schema,
    )


@torch.inference_mode()
def batch_tables(
    instrument: Instrument,
    batch: ProteinBatch,
    encoding: BatchEncoding,
    sequences: Mapping[str, str],
    marks: str,
) -> dict[str, pa.Table]:
    """Return all tables but `proteins` of a batch, and under `proteins` what the batch says of them.

    Args:
        instrument: dictionary and tables.
        batch: activations of whole proteins.
        encoding: their codes.
        sequences: protein id to residues, of these proteins.
        marks: what every row carries.
    """
    scored = instrument.scorers.scores(encoding.pooled)
    n, n_concepts = len(batch.protein_ids), len(instrument.scorers.concepts)
    reached = np.zeros((n, n_concepts), bool)
    if scored:
        reached = next(iter(scored.values())).is_reached  # the predictor's where there is one
    selected, strength = _strongest(instrument, encoding)
    texts, tracks = _carried(instrument, batch, encoding, reached)
    active, stretches, latent_tracks = _active(instrument, batch, encoding, selected, strength)
    mark = {"marks": np.repeat(marks, n * n_concepts)} if marks else {}
    return {
        "concept_scores": table_of(
            "concept_scores", _score_columns(instrument, batch, scored, reached, texts) | mark
        ),
        "active_latents": table_of(
            "active_latents", active | ({"marks": np.repeat(marks, len(active["rank"]))} if marks else {})
        ),
        "latent_stretches": table_of("latent_stretches", stretches),
        "residue_tracks": table_of(
            "residue_tracks", _tracks(instrument, batch, sequences, tracks, latent_tracks)
        ),
        "proteins": table_of(
            "proteins",
            {
                "protein_id": batch.protein_ids,
                "n_read": batch.lengths,
                "fve": _fve(instrument, batch, encoding),
                "n_reached": reached.sum(axis=1),
                "n_active": selected.sum(axis=1),
            },
        ),
    }


def batch_ids(batch: ProteinBatch) -> NDArray[Any]:
    """Return the ids of the proteins of a batch as objects."""
    return np.array(batch.protein_ids, object)


def _score_columns(
    instrument: Instrument,
    batch: ProteinBatch,
    scored: Mapping[str, Scored],
    reached: NDArray[np.bool_],
    residues: list[str],
) -> dict[str, Any]:
    concepts, n = instrument.scorers.concepts, len(batch.protein_ids)
    columns: dict[str, Any] = {"protein_id": np.repeat(batch_ids(batch), len(concepts))}
    for column in ("concept_id", "name", "aspect", "prevalence", "n_test"):
        columns[column] = np.tile(concepts[column].to_numpy(), n)
    columns |= {"reached": reached.ravel(), "residues": residues}
    for kind, values in scored.items():
        rows = instrument.scorers.rows[kind]
        columns |= {
            f"{kind}_score": values.score.ravel(),
            f"{kind}_probability": values.probability.ravel(),
            f"{kind}_reached": values.is_reached.ravel(),
            **{f"{kind}_{column}": np.tile(rows[column].to_numpy(), n) for column in WORTH},
        }
        if kind == "latent":
            columns["latent_id"] = np.tile(rows["latent"].to_numpy(), n)
    return columns


def _strongest(
    instrument: Instrument, encoding: BatchEncoding
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which latents of each protein are listed, and the strengths of all [n_proteins, d_sae].

    Without a maximum on record, the activation itself is the order, and the strength is unknown.
    """
    config, largest = instrument.config, encoding.pooled["max_latents"]
    strength = instrument.strength(largest)
    unknown = np.isnan(strength).all()
    order = np.where(largest > 0, largest if unknown else np.nan_to_num(strength), 0)
    k = min(config.max_latents, order.shape[1])
    best = np.argpartition(-order, k - 1, axis=1)[:, :k]
    selected = np.zeros(order.shape, bool)
    np.put_along_axis(selected, best, True, axis=1)
    return selected & (order > (0 if unknown else config.min_strength)), strength


def _carried(
    instrument: Instrument, batch: ProteinBatch, encoding: BatchEncoding, reached: NDArray[np.bool_]
) -> tuple[list[str], tuple[NDArray[Any], ...]]:
    """Return the residues that carry each concept in proteins that reach its threshold, as text
    [n_proteins x n_concepts], and as protein, position, concept, value."""
    latents = instrument.scorers.rows.get("latent")
    texts: list[str] = []
    parts: list[tuple[NDArray[Any], ...]] = []
    if latents is None:
        return [""] * reached.size, tuple(np.zeros(0, kind) for kind in (int, int, int, float))
    carriers = Carriers(instrument.sae, latents["latent"].to_numpy(), latents["sign"].to_numpy())
    ends = np.cumsum(batch.lengths)
    for protein, (start, end) in enumerate(zip(ends - batch.lengths, ends, strict=True)):
        of = [""] * reached.shape[1]
        columns = np.flatnonzero(reached[protein])
        if len(columns):
            strength = carriers.strength(encoding, slice(start, end))[:, columns]
            index = batch.residue_index[start:end]
            for column, text in zip(columns, as_texts(stretches_of(strength > 0), len(columns)), strict=True):
                of[column] = text
            place, row = np.nonzero(strength.T > 0)
            parts.append((np.full(len(row), protein), index[row], columns[place], strength[row, place]))
        texts += of
    empty = tuple(np.zeros(0, kind) for kind in (int, int, int, float))
    joined = tuple(np.concatenate(values) for values in zip(empty, *parts, strict=True))
    return texts, joined


def _active(
    instrument: Instrument,
    batch: ProteinBatch,
    encoding: BatchEncoding,
    selected: NDArray[np.bool_],
    strength: NDArray[np.float64],
) -> tuple[dict[str, Any], dict[str, Any], tuple[NDArray[Any], ...]]:
    """Return columns of `active_latents` and `latent_stretches`, and the track of every latent."""
    codes = active_codes(batch, encoding, selected)
    runs, latents = codes.runs(), instrument.latents
    largest = encoding.pooled["max_latents"]
    protein, latent = np.nonzero(selected)
    order = np.lexsort(
        (latent, -np.nan_to_num(strength[protein, latent]), -largest[protein, latent], protein)
    )
    if not np.isnan(strength).all():
        order = np.lexsort((latent, -np.nan_to_num(strength[protein, latent]), protein))
    protein, latent = protein[order], latent[order]
    pair = runs.protein * selected.shape[1] + runs.latent
    wanted = protein * selected.shape[1] + latent
    first, last = np.searchsorted(pair, wanted), np.searchsorted(pair, wanted, side="right")
    written = [f"{a}-{b}" if b > a else f"{b}" for a, b in zip(runs.first + 1, runs.last + 1, strict=True)]
    lengths = np.concatenate([[0], np.cumsum(runs.last - runs.first + 1)])
    best = [a + int(np.argmax(runs.value[a:b])) for a, b in zip(first, last, strict=True)]
    about = latents.iloc[latent]
    names = np.where(about["name"].isna(), about["best_concept_name"], about["name"])
    ids = batch_ids(batch)
    starts = np.searchsorted(protein, np.arange(len(ids)))
    columns = {
        "protein_id": ids[protein],
        "rank": np.arange(len(protein)) - starts[protein] + 1,
        "latent": latent,
        "kind": about["kind"].to_numpy(),
        "concept_id": about["concept_id"].to_numpy(),
        "name": names,
        "strength": strength[protein, latent],
        "max_act": largest[protein, latent],
        "peak": runs.peak[best] + 1,
        "n_residues": lengths[last] - lengths[first],
        "residues": [";".join(written[a:b]) for a, b in zip(first, last, strict=True)],
        "sentence": about["sentence"].to_numpy(),
        "confidence": about["confidence"].to_numpy(),
    }
    maxima = latents["max_act"].to_numpy()[runs.latent]
    stretches = {
        "protein_id": ids[runs.protein],
        "latent": runs.latent,
        "start": runs.first + 1,
        "end": runs.last + 1,
        "peak": runs.peak + 1,
        "strength": runs.value / maxima,
        "max_act": runs.value,
    }
    return columns, stretches, (codes.protein, codes.position, codes.latent, codes.value)


def _tracks(
    instrument: Instrument,
    batch: ProteinBatch,
    sequences: Mapping[str, str],
    concepts: tuple[NDArray[Any], ...],
    latents: tuple[NDArray[Any], ...],
) -> dict[str, Any]:
    """Return columns of `residue_tracks`, protein by protein, of tracks given as protein, position, number of
    the concept or latent, value."""
    protein, position, number, value = map(np.concatenate, zip(concepts, latents, strict=True))
    is_latent = np.repeat([False, True], [len(concepts[0]), len(latents[0])])
    order = np.argsort(protein, kind="stable")
    protein, position, number, is_latent = (of[order] for of in (protein, position, number, is_latent))
    names = instrument.scorers.concepts["concept_id"].to_numpy(object)
    ids = number.astype(str).astype(object)
    ids[~is_latent] = names[number[~is_latent]]
    letters = np.frombuffer("".join(sequences[name] for name in batch.protein_ids).encode(), "S1")
    starts = np.cumsum([0, *(len(sequences[name]) for name in batch.protein_ids[:-1])])
    return {
        "protein_id": batch_ids(batch)[protein],
        "position": position + 1,
        "residue": letters[starts[protein] + position].astype("U1"),
        "track": np.where(is_latent, "latent", "concept"),
        "id": ids,
        "value": value[order].astype(np.float32),
    }


def _fve(instrument: Instrument, batch: ProteinBatch, encoding: BatchEncoding) -> NDArray[np.float64]:
    """Return the share of the variance around the training mean that the dictionary explains, by protein."""
    x = batch.x
    residual = (instrument.sae.decode_sparse(encoding.codes) - x).double().square().sum(dim=1).numpy()
    centred = (x - instrument.sae.input_mean).double().square().sum(dim=1).numpy()
    begins = np.cumsum([0, *batch.lengths[:-1]])
    found: NDArray[np.float64] = 1 - np.add.reduceat(residual, begins) / np.add.reduceat(centred, begins)
    return found
