"""One JSON document per protein, for pages that show it; docs/prediction.md has the schema."""

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from protsae.prediction.scoring import WORTH
from protsae.probing.scorers import KINDS

FORMAT = "protsae.prediction.protein"
FORMAT_VERSION = 1
_N_NOT_REACHED = 10
"""Concepts shown that are not reached: the most probable."""
_DIGITS = 5
_PARTS = ("concept_scores", "active_latents", "latent_stretches", "residue_tracks")
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def embeddable(value: Any) -> str:
    """Return JSON that is safe inside a `<script>` of a page: no markup, only ASCII."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).translate(_ESCAPES)


def documents(tables: Mapping[str, pa.Table], sequences: Mapping[str, str]) -> Iterator[str]:
    """Yield the document of each protein that was read, a line each.

    Args:
        tables: those of `tables.SCHEMAS`, every one in the order of `proteins`.
        sequences: protein id to residues.
    """
    proteins = tables["proteins"].to_pylist()
    ids = [protein["protein_id"] for protein in proteins]
    bounds = {name: _bounds(tables[name], ids) for name in _PARTS}
    stretches = _columns(
        tables["latent_stretches"], ("latent", "start", "end", "peak", "strength", "max_act")
    )
    tracks = _columns(tables["residue_tracks"], ("track", "id", "position", "value"))
    concepts = _Concepts(tables["concept_scores"], len(proteins))
    for i, protein in enumerate(proteins):
        rows = {name: slice(*bounds[name][i : i + 2].tolist()) for name in _PARTS}
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "protein": {**_rounded(protein), "sequence": sequences[protein["protein_id"]]},
            "latents": _latents(
                _cut(tables, rows, "active_latents"), [of[rows["latent_stretches"]] for of in stretches]
            ),
            "tracks": _tracks(*(of[rows["residue_tracks"]] for of in tracks)),
        }
        yield f'{embeddable(document)[:-1]},"concepts":[{",".join(concepts.texts(i))}]}}'


def _bounds(table: pa.Table, ids: list[str]) -> NDArray[np.int64]:
    """Return where the rows of each protein begin, and where the last one's end [n_proteins + 1]."""
    encoded = table["protein_id"].combine_chunks().dictionary_encode()
    place = {name: i for i, name in enumerate(ids)}
    places = np.array([place[name] for name in encoded.dictionary.to_pylist()], np.int64)
    rows = places[encoded.indices.to_numpy()] if len(places) else places
    return np.searchsorted(rows, np.arange(len(ids) + 1))


def _columns(table: pa.Table, names: tuple[str, ...]) -> list[NDArray[Any]]:
    return [table[name].to_numpy() for name in names]


def _cut(tables: Mapping[str, pa.Table], rows: Mapping[str, slice], name: str) -> pa.Table:
    return tables[name].slice(rows[name].start, rows[name].stop - rows[name].start)


class _Concepts:
    """The concepts of each protein as JSON. What all proteins share of a concept is written once.

    Args:
        scores: `concept_scores`, the same concepts in the same order for every protein.
        n_proteins: how many proteins.
    """

    def __init__(self, scores: pa.Table, n_proteins: int) -> None:
        self._n = scores.num_rows // max(n_proteins, 1)
        first = scores.slice(0, self._n)
        self._kinds = [kind for kind in KINDS if scores[f"{kind}_probability"].null_count < scores.num_rows]
        self._about = [
            embeddable(_rounded(row))[:-1]
            for row in first.select(["concept_id", "name", "aspect", "prevalence", "n_test"]).to_pylist()
        ]
        self._worth = {
            kind: [
                embeddable({key.removeprefix(f"{kind}_"): value for key, value in _rounded(row).items()})[:-1]
                for row in first.select(_fixed(kind)).to_pylist()
            ]
            for kind in self._kinds
        }
        self._reached = scores["reached"].to_numpy()
        self._residues = scores["residues"].to_pylist()
        self._scores = {
            kind: [scores[f"{kind}_{column}"].to_numpy() for column in ("score", "probability", "reached")]
            for kind in self._kinds
        }

    def texts(self, protein: int) -> list[str]:
        """Return the concepts that a protein reaches and the next most probable, by falling probability."""
        rows = np.arange(protein * self._n, (protein + 1) * self._n)
        if self._kinds:
            rows = rows[np.argsort(-self._scores[self._kinds[0]][1][rows], kind="stable")]
            reached = self._reached[rows]
            rows = rows[reached | (np.cumsum(~reached) <= _N_NOT_REACHED)]
        return [self._text(row) for row in rows.tolist()]

    def _text(self, row: int) -> str:
        concept = row % self._n
        cell = self._residues[row]
        residues = f"[[{cell.replace(';', '],[').replace('-', ',')}]]" if cell else "[]"
        parts = [f'{self._about[concept]},"reached":{_bool(self._reached[row])},"residues":{residues}']
        for kind in self._kinds:
            score, probability, reached = (of[row] for of in self._scores[kind])
            if np.isnan(score):
                continue
            parts.append(
                f'"{kind}":{self._worth[kind][concept]},"score":{_number(score)},'
                f'"probability":{_number(probability)},"reached":{_bool(reached)}}}'
            )
        return ",".join(parts) + "}"


def _fixed(kind: str) -> list[str]:
    """Return the columns of a kind of score that are the same for every protein."""
    own = ["latent_id"] if kind == "latent" else []
    return own + [f"{kind}_{column}" for column in WORTH]


def _bool(value: Any) -> str:
    return "true" if value else "false"


def _number(value: float) -> str:
    return repr(round(float(value), _DIGITS)) if np.isfinite(value) else "null"


def _latents(active: pa.Table, stretches: list[NDArray[Any]]) -> list[dict[str, Any]]:
    of: dict[int, list[list[Any]]] = {}
    latent, start, end, peak, strength, value = stretches
    columns = (start, end, peak, _plain(strength), _plain(value))
    for number, *stretch in zip(latent.tolist(), *(_listed(column) for column in columns), strict=True):
        of.setdefault(number, []).append(stretch)
    left_out = ("protein_id", "residues", "marks")
    return [
        {
            **_rounded({key: value for key, value in row.items() if key not in left_out}),
            "stretches": of.get(row["latent"], []),
        }
        for row in active.to_pylist()
    ]


def _tracks(
    kind: NDArray[Any], name: NDArray[Any], position: NDArray[Any], value: NDArray[Any]
) -> list[dict[str, Any]]:
    if not len(name):
        return []
    new = np.flatnonzero((name[1:] != name[:-1]) | (kind[1:] != kind[:-1])) + 1
    bounds = [0, *new.tolist(), len(name)]
    values = _plain(value)
    return [
        {
            "track": kind[a],
            "id": name[a],
            "positions": position[a:b].tolist(),
            "values": _listed(values[a:b]),
        }
        for a, b in pairwise(bounds)
    ]


def _plain(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.round(values.astype(np.float64), 4), np.float64)


def _listed(values: NDArray[Any]) -> list[Any]:
    """Return numbers as JSON has them: null where there is none."""
    if values.dtype.kind == "f" and np.isnan(values).any():
        return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 - NaN
    found: list[Any] = values.tolist()
    return found


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: round(value, _DIGITS) if isinstance(value, float) else value for key, value in row.items()}
