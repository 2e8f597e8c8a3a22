"""Data files of the user's own proteins: what the pipeline prediction wrote, for the page of a protein."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from protsae.explorer.attribution import Attributed
from protsae.explorer.latents import DataFile
from protsae.explorer.literals import rounded, table
from protsae.explorer.overview import CHUNK
from protsae.explorer.proteins import runs
from protsae.explorer.rows import chunks, records
from protsae.explorer.tables import ExplorerTables
from protsae.prediction.result import Prediction
from protsae.prediction.variants import Substitution, Variant

_ABOUT = ("release", "language_model", "trained_on", "protsae", "n_proteins", "n_variants", "marks")
_VARIANTS = ("variants", "variant_latents", "variant_concepts")
_Row = dict[str, Any]


def prediction_files(
    tables: ExplorerTables, prediction: Prediction | None, attributed: Attributed
) -> Iterator[DataFile]:
    """Yield the data files of a prediction: its proteins, each followed by its variants.

    Latents have the position of their dictionary, null if the release's is none of this run.

    Args:
        tables: the tables of the run.
        prediction: what was predicted; None: nothing.
        attributed: predictions that were divided among residues.
    """
    if prediction is None:
        return
    entries = [
        {**entry, "attributions": attributed.of(entry["id"], entry["sequence"])}
        for entry in _Reader(tables, prediction).entries()
    ]
    listed = {
        "id": [entry["id"] for entry in entries],
        "description": [entry["description"] for entry in entries],
        "length": [len(entry["sequence"]) for entry in entries],
        "group": [entry["group"] for entry in entries],
    }
    about = {name: prediction.record.get(name) for name in _ABOUT}
    yield (
        "prediction",
        {**about, "fasta": None, "created": None, "n": len(entries), "proteins": table(listed)},
    )
    for number, rows in chunks(len(entries), CHUNK["protein"]):
        yield f"prediction-{number}", [entries[row] for row in rows]


class _Reader:
    def __init__(self, tables: ExplorerTables, prediction: Prediction) -> None:
        self._tables, self._prediction = tables, prediction
        self._dictionary = tables.dictionary_of(prediction.record.get("dictionary_sha256"))
        self._full = None
        if self._dictionary is not None:
            latents = tables.of[tables.order[self._dictionary]].latents.sort_values("latent")
            self._full = latents["max_act"].to_numpy(np.float64)

    def entries(self) -> Iterator[_Row]:
        """Yield each protein and then its variants."""
        variants, latents, concepts = (self._rows(name) for name in _VARIANTS)
        of_protein: dict[str, list[_Row]] = {}
        for row in (row for rows in variants.values() for row in rows):
            of_protein.setdefault(row["protein_id"], []).append(row)
        for document in self._prediction.documents():
            entry = self._protein(document)
            yield entry
            for variant in of_protein.get(entry["id"], []):
                key = (entry["id"], variant["variant"])
                yield self._variant(entry, variant, latents.get(key, []), concepts.get(key, []))

    def _rows(self, name: str) -> dict[tuple[str, str], list[_Row]]:
        """Return the rows of a table of variants, if there is one, by protein and variant."""
        found: dict[tuple[str, str], list[_Row]] = {}
        if name in self._prediction.tables:
            for row in records(self._prediction.table(name)):
                found.setdefault((row["protein_id"], row["variant"]), []).append(row)
        return found

    def _protein(self, document: Mapping[str, Any]) -> _Row:
        about, concepts = document["protein"], document["concepts"]
        position = self._tables.concept(row["concept_id"] for row in concepts).tolist()
        return {
            "id": about["protein_id"],
            "group": None,
            **{key: about.get(key) for key in ("description", "sequence", "fve", "note", "marks", "is_far")},
            "nearest_id": about.get("nearest_train_id"),
            "nearest_identity": about.get("nearest_train_identity"),
            "known": [],
            "predicted": [
                {
                    "concept": at,
                    **{key: row[key] for key in ("concept_id", "name", "reached", "prevalence")},
                    **(row.get("predictor") or row["latent"]),
                    "known": False,
                }
                for at, row in zip(position, concepts, strict=True)
            ],
            "spans": [
                {"concept": at, "start": stretch[0] - 1, "end": stretch[-1]}
                for at, row in zip(position, concepts, strict=True)
                for stretch in row["residues"]
            ],
            "tracks": [self._track(track) for track in document["tracks"] if track["track"] == "latent"],
            "n_fired": [],
            "latents": [{"dictionary": self._dictionary, **row} for row in document["latents"]],
            "structures": [],
        }

    def _track(self, track: Mapping[str, Any]) -> _Row:
        latent, values = int(track["id"]), np.asarray(track["values"], np.float64)
        place = np.asarray(track["positions"], np.int64) - 1
        order = np.argsort(place)
        full = max(float(values.max(initial=0)), 0 if self._full is None else self._full[latent])
        return {
            "dictionary": self._dictionary,
            "latent": latent,
            "max": rounded([full], 6)[0],
            "runs": runs(place[order], values[order] / full),
        }

    def _variant(self, wild: _Row, variant: _Row, changed: list[_Row], concepts: list[_Row]) -> _Row:
        position = self._tables.concept(row["concept_id"] for row in concepts).tolist()
        latents = {
            change: [
                {
                    "dictionary": self._dictionary,
                    **{key: row[key] for key in ("latent", "name", "peak", "sentence")},
                    "before": row["strength_wild_type"],
                    "after": row["strength_variant"],
                }
                for row in changed
                if row["change"] == change
            ]
            for change in ("gained", "lost")
        }
        return {
            "id": f"{wild['id']} {variant['variant']}",
            "description": wild["description"],
            "group": wild["id"],
            "sequence": _mutated(wild["sequence"], variant["variant"]),
            "mutations": variant["variant"].split(":"),
            **{key: variant[key] for key in ("score", "llr", "llr_wild_type", "marks")},
            **latents,
            "changes": [
                {
                    "concept": at,
                    **{key: row[key] for key in ("concept_id", "name", "by", "auc_test")},
                    "before": row["probability_wild_type"],
                    "after": row["probability_variant"],
                }
                for at, row in zip(position, concepts, strict=True)
            ],
            "known": [],
            "predicted": [],
            "spans": [],
            "tracks": [],
            "structures": [],
        }


def _mutated(sequence: str, name: str) -> str:
    """Return the residues of a variant such as `A123G:C124D`."""
    parts = tuple(Substitution(part[0], int(part[1:-1]), part[-1]) for part in name.split(":"))
    return Variant("", name, parts, 0, None).sequence(sequence)
