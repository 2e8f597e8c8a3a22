"""Data files of attribution: what carries a prediction, for the pages of proteins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.attribution.plan import INDEX_NAME, Attributions
from protsae.explorer.latents import DataFile
from protsae.explorer.literals import rounded
from protsae.explorer.rows import plain, records
from protsae.explorer.tables import ExplorerTables

N_LATENTS = 30
"""Latents of a prediction that are listed, the strongest ones."""
_STRIPS = ("at_input", "at_hook_point", "occlusion")


class Attributed:
    """What the pipeline attribution wrote.

    Args:
        tables: the tables of the run.
        folder: of the pipeline; None, or an unfinished one: nothing.
    """

    def __init__(self, tables: ExplorerTables, folder: Path | None) -> None:
        self.is_there = folder is not None and (folder / INDEX_NAME).is_file()
        self._tables = tables
        self._documents = list(Attributions(folder).documents()) if folder and self.is_there else []
        self._of: dict[tuple[str, str], list[dict[str, Any]]] = {}
        targets = [document["target"] for document in self._documents]
        concepts = tables.concept(target["concept_id"] for target in targets).tolist()
        for number, (document, target, concept) in enumerate(
            zip(self._documents, targets, concepts, strict=True)
        ):
            about = {
                name: plain(document[name]) for name in ("label", "name", "is_annotated", "full", "empty")
            }
            own = {
                "file": number,
                "kind": target["kind"],
                "dictionary": tables.dictionary_of(document["dictionary_sha256"]),
                "concept": concept if target["kind"] == "predictor" else -1,
                "latent": target["latent"] if target["kind"] == "latent" else -1,
                **about,
                "note": document["note"] or None,
            }
            self._of.setdefault((document["protein_id"], document["sequence"]), []).append(own)

    def of(self, protein_id: str, sequence: str) -> list[dict[str, Any]]:
        """Return what was attributed of a protein; nothing if its sequence is another one."""
        return self._of.get((protein_id, sequence), [])

    def files(self) -> Iterator[DataFile]:
        """Yield the list of all predictions, and a file for each."""
        if not self.is_there:
            return
        sequences = dict(
            zip(*(self._tables.proteins[name] for name in ("protein_id", "sequence")), strict=True)
        )
        yield (
            "attributions",
            [
                {
                    "id": document["protein_id"],
                    "name": document["name"],
                    "in_run": sequences.get(document["protein_id"]) == document["sequence"],
                }
                for document in self._documents
            ],
        )
        for number, document in enumerate(self._documents):
            yield f"attribution-{number}", _file(document)


def _file(document: dict[str, Any]) -> dict[str, Any]:
    residues: pd.DataFrame = document["residues"]
    found: dict[str, Any] = {
        "hook_point": document["hook_point"],
        "regions": records(document["regions"]),
        "latents": records(document["latents"][:N_LATENTS]),
        "n_latents": len(document["latents"]),
        "summary": records(document["summary"]),
    }
    if len(residues):
        masked = residues["is_masked"].to_numpy(bool)
        found["masked"] = masked.nonzero()[0].tolist()
        found |= {name: rounded(residues[name]) for name in _STRIPS}
    return found
