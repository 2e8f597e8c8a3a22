"""One JSON document per protein, for pages that show it; docs/prediction.md has the schema.

A batch of proteins is written column by column: a number or name becomes text in a compiled loop, and rows,
lists and documents are joined from these texts.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from protsae.prediction.scoring import WORTH
from protsae.prediction.stretches import joined
from protsae.probing.scorers import KINDS

FORMAT = "protsae.prediction.protein"
FORMAT_VERSION = 1
_N_NOT_REACHED = 10
"""Concepts shown that are not reached: the most probable."""
_DIGITS = 5
_DIGITS_OF_RESIDUES = 4
_N_SMALL = 2**17
"""Numbers whose texts are kept."""
_CONCEPT = ("concept_id", "name", "aspect", "prevalence", "n_test", "reached")
_LATENT = (
    *("rank", "latent", "kind", "concept_id", "name", "strength", "max_act", "peak", "n_residues"),
    *("sentence", "confidence"),
)
_STRETCH = ("start", "end", "peak", "strength", "max_act")
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def embeddable(value: Any) -> str:
    """Return JSON that is safe inside a `<script>` of a page: no markup, only ASCII."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).translate(_ESCAPES)


@lru_cache(maxsize=2**14)
def _known(text: str | None) -> str:
    """Return `embeddable` text that is likely to be needed again, such as the sentence of a latent."""
    return embeddable(text)


def documents(tables: Mapping[str, pa.Table], sequences: Sequence[str]) -> pa.StringArray:
    """Return the document of each protein that was read, a line each.

    Args:
        tables: those of `tables.SCHEMAS`, every one in the order of `proteins`.
        sequences: residues of these proteins.
    """
    proteins = tables["proteins"].append_column("sequence", pa.array(sequences, pa.string()))
    ids = proteins["protein_id"].to_pylist()
    about = {"format": FORMAT, "format_version": FORMAT_VERSION}
    return _concatenated(
        f'{embeddable(about)[:-1]},"protein":',
        _object(_texts(proteins, proteins.column_names)),
        ',"latents":[',
        _latents(tables["active_latents"], tables["latent_stretches"], ids),
        '],"tracks":[',
        _tracks(tables["residue_tracks"], ids),
        '],"concepts":[',
        _concepts(tables["concept_scores"], ids),
        "]}\n",
    )


def _json(values: pa.ChunkedArray, digits: int = _DIGITS) -> pa.StringArray:
    """Return each value as JSON; what is missing or not finite is null."""
    column, kind = values.combine_chunks(), values.type
    if pa.types.is_floating(kind):
        numbers = column.to_numpy(zero_copy_only=False).astype(np.float64)
        scaled = np.rint(numbers * 10**digits)
        if len(scaled) and scaled.min() >= 0 and scaled.max() < _N_SMALL:  # false if one is missing
            return _small(digits).take(pa.array(scaled.astype(np.int32)))
        rounded = np.round(numbers, digits)
        texts = pa.array(rounded, mask=~np.isfinite(rounded)).cast(pa.string())
    elif pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        texts = column.cast(pa.string())
    elif pa.types.is_dictionary(kind):
        known = pa.array(map(_known, column.dictionary.to_pylist()), pa.string())
        texts = known.take(column.indices)
    else:
        texts = pa.array(map(embeddable, column.to_pylist()), pa.string())
    return texts.fill_null("null")


@cache
def _small(digits: int) -> pa.StringArray:
    """Return numbers from 0 on in steps of the last of `digits` decimals, as most activations are."""
    return pa.array(np.arange(_N_SMALL) / 10**digits).cast(pa.string())


def _texts(table: pa.Table, columns: Sequence[str]) -> dict[str, pa.StringArray]:
    return {column: _json(table[column]) for column in columns}


def _object(members: Mapping[str, pa.StringArray]) -> pa.StringArray:
    """Return a JSON object per row."""
    parts = [part for name, texts in members.items() for part in (f',"{name}":', texts)]
    return _concatenated("{" + parts[0][1:], *parts[1:], "}")


def _concatenated(*parts: Any) -> pa.StringArray:
    """Return the texts of each row one after another; some are the same in every row."""
    return pc.binary_join_element_wise(*parts, "")


def _listed(texts: pa.StringArray, rows: NDArray[np.int64], n_groups: int) -> pa.StringArray:
    """Return the texts of each group as members of a list; `rows`: the group of each, ascending."""
    return joined(texts, np.searchsorted(rows, np.arange(n_groups + 1)), ",")


def _places(table: pa.Table, ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the place in `ids` of the protein of each row."""
    encoded = table["protein_id"].combine_chunks()
    place = {name: i for i, name in enumerate(ids)}
    places = np.array([place[name] for name in encoded.dictionary.to_pylist()], np.int64)
    found: NDArray[np.int64] = places[encoded.indices.to_numpy()]
    return found


def _latents(active: pa.Table, stretches: pa.Table, ids: Sequence[str]) -> pa.StringArray:
    """Return the latents of each protein, with their stretches."""
    protein, latent = _places(stretches, ids), stretches["latent"].to_numpy()
    starts = np.flatnonzero((np.diff(protein, prepend=-1) != 0) | (np.diff(latent, prepend=-1) != 0))
    parts = [_json(stretches[column], _DIGITS_OF_RESIDUES) for column in _STRETCH]
    bounds = np.append(starts, len(protein))
    lists = joined(_concatenated("[", pc.binary_join_element_wise(*parts, ","), "]"), bounds, ",")
    of, width = _places(active, ids), max(1, int(latent.max(initial=0)) + 1)
    groups = np.searchsorted((protein * width + latent)[starts], of * width + active["latent"].to_numpy())
    members = _texts(active, _LATENT)
    members["stretches"] = _concatenated("[", lists.take(pa.array(groups)), "]")
    return _listed(_object(members), of, len(ids))


def _tracks(table: pa.Table, ids: Sequence[str]) -> pa.StringArray:
    """Return the tracks of each protein."""
    protein = _places(table, ids)
    starts = np.diff(protein, prepend=-1) != 0
    for column in ("track", "id"):
        starts |= np.diff(table[column].combine_chunks().indices.to_numpy(), prepend=-1) != 0
    bounds = np.append(np.flatnonzero(starts), len(protein))
    members = _texts(table.filter(pa.array(starts)), ("track", "id"))
    for name, column in (("positions", "position"), ("values", "value")):
        texts = _json(table[column], _DIGITS_OF_RESIDUES)
        members[name] = _concatenated("[", joined(texts, bounds, ","), "]")
    return _listed(_object(members), protein[bounds[:-1]], len(ids))


def _concepts(scores: pa.Table, ids: Sequence[str]) -> pa.StringArray:
    """Return the concepts that each protein reaches and the next most probable, by falling probability."""
    kinds = [kind for kind in KINDS if scores[f"{kind}_probability"].null_count < scores.num_rows]
    shape = len(ids), scores.num_rows // max(len(ids), 1)
    order = np.broadcast_to(np.arange(shape[1]), shape)
    if kinds:
        probability = scores[f"{kinds[0]}_probability"].to_numpy().reshape(shape)
        order = np.argsort(-probability, axis=1, kind="stable")
    reached = np.take_along_axis(scores["reached"].to_numpy().reshape(shape), order, axis=1)
    kept = reached | (np.cumsum(~reached, axis=1) <= _N_NOT_REACHED) | (not kinds)
    rows = (order + np.arange(shape[0])[:, None] * shape[1])[kept]
    chosen = scores.take(pa.array(rows))
    members = _texts(chosen, _CONCEPT)
    spans = pc.replace_substring(chosen["residues"].combine_chunks(), "-", ",")
    spans = _concatenated("[[", pc.replace_substring(spans, ";", "],["), "]]")
    members["residues"] = pc.if_else(pc.equal(spans, "[[]]"), "[]", spans)
    texts = pc.utf8_slice_codeunits(_object(members), 0, -1)
    for kind in kinds:
        texts = _concatenated(texts, _of_kind(chosen, kind))
    return _listed(_concatenated(texts, "}"), np.nonzero(kept)[0], len(ids))


def _of_kind(scores: pa.Table, kind: str) -> pa.StringArray:
    """Return the member of each concept that holds one kind of score, nothing where there is none."""
    own = ("id",) if kind == "latent" else ()
    names = (*own, *WORTH, "score", "probability", "reached")
    texts = _concatenated(f',"{kind}":', _object({name: _json(scores[f"{kind}_{name}"]) for name in names}))
    return pc.if_else(scores[f"{kind}_score"].combine_chunks().is_valid(), texts, "")
