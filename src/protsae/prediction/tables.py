"""Columns of the tables of a prediction, and the tables of a batch of proteins."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from protsae.core.letters import character_codes
from protsae.encoding.batches import ProteinBatch
from protsae.encoding.reading import BatchEncoding
from protsae.prediction.instrument import Instrument
from protsae.prediction.residues import Active, Runs, active_codes, carried
from protsae.prediction.scoring import WORTH, Scored
from protsae.prediction.stretches import as_texts, joined, largest_of_groups
from protsae.probing.scorers import KINDS

_TEXT, _INT, _FLOAT, _BOOL = pa.string(), pa.int32(), pa.float64(), pa.bool_()
_NAME = pa.dictionary(pa.int32(), pa.string())
"""Text that many rows share: held once, and written once."""
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
            "protein_id": _NAME,
            "concept_id": _NAME,
            "name": _NAME,
            "aspect": _NAME,
            "reached": _BOOL,
            "residues": _TEXT,
            **_BY_KIND,
            "prevalence": _FLOAT,
            "n_test": _INT,
            "marks": _NAME,
        },
        "active_latents": {
            "protein_id": _NAME,
            "rank": _INT,
            "latent": _INT,
            "kind": _NAME,
            "concept_id": _NAME,
            "name": _NAME,
            "strength": _FLOAT,
            "max_act": _FLOAT,
            "peak": _INT,
            "n_residues": _INT,
            "residues": _TEXT,
            "sentence": _NAME,
            "confidence": _NAME,
            "marks": _NAME,
        },
        "latent_stretches": {
            "protein_id": _NAME,
            "latent": _INT,
            "start": _INT,
            "end": _INT,
            "peak": _INT,
            "strength": _FLOAT,
            "max_act": _FLOAT,
        },
        "residue_tracks": {
            "protein_id": _NAME,
            "position": _INT,
            "residue": _NAME,
            "track": _NAME,
            "id": _NAME,
            "value": pa.float32(),
        },
    }.items()
}
"""Table to its columns; docs/prediction.md says what they mean."""
MARK = "; "


def shared_texts(schema: pa.Schema) -> list[str] | bool:
    """Return what Parquet files hold once per value: the columns whose type says so, else what is shorter."""
    return [field.name for field in schema if pa.types.is_dictionary(field.type)] or True


def table_of(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """Return a table in its schema; what is not given is null."""
    n_rows = max((len(values) for values in columns.values()), default=0)
    schema = SCHEMAS[name]
    return pa.table(
        [
            _column(columns[field.name], field.type)
            if field.name in columns
            else pa.nulls(n_rows, field.type)
            for field in schema
        ],
        schema=schema,
    )


def _column(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.cast(kind)
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type, from_pandas=True).dictionary_encode()
    return pa.array(values, kind, from_pandas=True)


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
    carriers = _carriers(instrument, batch, encoding, reached)
    codes = active_codes(batch, encoding, selected)
    runs = codes.runs()
    texts = as_texts(runs.first, runs.last)
    active = _active(instrument, batch, encoding, runs, texts, selected, strength)
    columns = {
        "concept_scores": _score_columns(instrument, batch, scored, reached, carriers),
        "active_latents": active,
        "latent_stretches": _stretches(instrument, batch, runs),
        "residue_tracks": _tracks(instrument, batch, sequences, carriers, codes),
        "proteins": {
            "protein_id": batch.protein_ids,
            "n_read": batch.lengths,
            "fve": _fve(instrument, batch, encoding),
            "n_reached": reached.sum(axis=1),
            "n_active": selected.sum(axis=1),
        },
    }
    if marks:
        for name in ("concept_scores", "active_latents"):
            n_rows = len(columns[name]["protein_id"])
            columns[name]["marks"] = _names([marks], np.zeros(n_rows, np.int32))
    return {name: table_of(name, of) for name, of in columns.items()}


def _names(values: Any, rows: NDArray[np.integer[Any] | np.bool_]) -> pa.Array:
    """Return the values of some rows, each text held once; missing ones are null."""
    return _column(values, _NAME).take(pa.array(rows.astype(np.int32)))


def _score_columns(
    instrument: Instrument,
    batch: ProteinBatch,
    scored: Mapping[str, Scored],
    reached: NDArray[np.bool_],
    carriers: Active,
) -> dict[str, Any]:
    concepts, n = instrument.scorers.concepts, len(batch.protein_ids)
    runs = carriers.runs()
    of_pair = runs.protein * len(concepts) + runs.latent
    bounds = np.searchsorted(of_pair, np.arange(reached.size + 1))
    protein, concept = np.divmod(np.arange(reached.size), max(len(concepts), 1))
    columns: dict[str, Any] = {
        "protein_id": _names(batch.protein_ids, protein),
        **{column: _names(concepts[column], concept) for column in ("concept_id", "name", "aspect")},
        **{column: concepts[column].to_numpy()[concept] for column in ("prevalence", "n_test")},
        "reached": reached.ravel(),
        "residues": joined(as_texts(runs.first, runs.last), bounds, ";"),
    }
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


def _carriers(
    instrument: Instrument, batch: ProteinBatch, encoding: BatchEncoding, reached: NDArray[np.bool_]
) -> Active:
    """Return the residues that carry each concept in proteins that reach its threshold."""
    latents = instrument.scorers.rows.get("latent")
    if latents is None:
        none = np.zeros(0, np.int64)
        return Active(none, none, none, np.zeros(0))
    columns = latents["latent"].to_numpy(), latents["sign"].to_numpy()
    return carried(batch, encoding, reached, instrument.sae, *columns)


def _active(
    instrument: Instrument,
    batch: ProteinBatch,
    encoding: BatchEncoding,
    runs: Runs,
    texts: pa.StringArray,
    selected: NDArray[np.bool_],
    strength: NDArray[np.float64],
) -> dict[str, Any]:
    """Return columns of `active_latents`; `texts` are the runs as `residues` writes them."""
    largest, latents = encoding.pooled["max_latents"], instrument.latents
    protein, latent = np.nonzero(selected)
    unknown = np.isnan(strength).all()
    by = (largest if unknown else np.nan_to_num(strength))[protein, latent]
    order = np.lexsort((latent, -by, protein))
    protein, latent = protein[order], latent[order]
    pair = runs.protein * selected.shape[1] + runs.latent
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    bounds = np.append(starts, len(pair))
    lengths = np.append(0, np.cumsum(runs.last - runs.first + 1))[bounds]
    _, best = largest_of_groups(runs.value, starts)
    group = np.searchsorted(pair[starts], protein * selected.shape[1] + latent)
    about = {column: _column(latents[column], _TEXT) for column in ("name", "best_concept_name")}
    names = about["name"].fill_null(about["best_concept_name"])
    return {
        "protein_id": _names(batch.protein_ids, protein),
        "rank": np.arange(len(protein)) - np.searchsorted(protein, protein) + 1,
        "latent": latent,
        "name": _names(names, latent),
        "strength": strength[protein, latent],
        "max_act": largest[protein, latent],
        "peak": runs.peak[best][group] + 1,
        "n_residues": np.diff(lengths)[group],
        "residues": joined(texts, bounds, ";").take(pa.array(group)),
        **{
            column: _names(latents[column], latent)
            for column in ("kind", "concept_id", "sentence", "confidence")
        },
    }


def _stretches(instrument: Instrument, batch: ProteinBatch, runs: Runs) -> dict[str, Any]:
    """Return columns of `latent_stretches`."""
    return {
        "protein_id": _names(batch.protein_ids, runs.protein),
        "latent": runs.latent,
        "start": runs.first + 1,
        "end": runs.last + 1,
        "peak": runs.peak + 1,
        "strength": runs.value / instrument.latents["max_act"].to_numpy()[runs.latent],
        "max_act": runs.value,
    }


def _tracks(
    instrument: Instrument,
    batch: ProteinBatch,
    sequences: Mapping[str, str],
    concepts: Active,
    latents: Active,
) -> dict[str, Any]:
    """Return columns of `residue_tracks`: protein by protein, concepts before latents."""
    names = instrument.scorers.concepts["concept_id"].tolist()
    used, number = np.unique(latents.latent, return_inverse=True)
    names, n_concepts = [*names, *map(str, used.tolist())], len(names)
    protein = np.concatenate([concepts.protein, latents.protein])
    narrow = np.min_scalar_type(len(batch.protein_ids))  # few bits are sorted fastest
    order = np.argsort(protein.astype(narrow), kind="stable")
    protein = protein[order]
    position = np.concatenate([concepts.position, latents.position])[order]
    track = np.concatenate([concepts.latent, number + n_concepts])[order]
    given = [sequences[name] for name in batch.protein_ids]
    letters, residue = np.unique(character_codes("".join(given)), return_inverse=True)
    starts = np.cumsum([0, *map(len, given[:-1])])
    return {
        "protein_id": _names(batch.protein_ids, protein),
        "position": position + 1,
        "residue": _names(list(map(chr, letters)), residue[starts[protein] + position]),
        "track": _names(["concept", "latent"], track >= n_concepts),
        "id": _names(names, track),
        "value": np.concatenate([concepts.value, latents.value])[order].astype(np.float32),
    }


def _fve(instrument: Instrument, batch: ProteinBatch, encoding: BatchEncoding) -> NDArray[np.float64]:
    """Return the share of the variance around the training mean that the dictionary explains, by protein."""
    sae, x = instrument.sae, batch.x
    begins = np.cumsum([0, *batch.lengths[:-1]])
    distances = [
        torch.linalg.vector_norm(x - other, dim=1).double().square().numpy()
        for other in (sae.decode_sparse(encoding.codes), sae.input_mean)
    ]
    residual, centred = (np.add.reduceat(of, begins) for of in distances)
    found: NDArray[np.float64] = 1 - residual / centred
    return found
