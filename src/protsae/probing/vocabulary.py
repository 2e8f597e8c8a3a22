"""The concepts that are judged, and what each preset of the metrics holds of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.metrics.cafa import PresetName
from protsae.ontology.closure import reachable
from protsae.ontology.obo import Ontology

ASPECTS = ("BPO", "MFO", "CCO")
INFORMATION_COLUMNS: dict[PresetName, str] = {
    "cafa": "information_content",
    "deepgo": "information_content_deepgo",
}
Below = list[list[int]]


@dataclass(frozen=True)
class Vocabulary:
    """What evaluation needs to know of the concepts."""

    concepts: pd.DataFrame
    """Rows of the `concepts` table that are judged, column by column."""
    below: Mapping[PresetName, Below]
    """Preset to, per concept, the indices of the concepts below it."""

    @classmethod
    def of(cls, concepts: pd.DataFrame, terms: pd.DataFrame, relations: pd.DataFrame) -> "Vocabulary":
        """Close the ontology by the rules of both presets and restrict it to the concepts.

        `cafa` follows `is_a` and `part_of` within an aspect, `deepgo` every relation.
        """
        ontology, ids = Ontology(terms=terms, relations=relations), concepts["concept_id"].tolist()
        below: dict[PresetName, Below] = {}
        for preset in INFORMATION_COLUMNS:
            above = reachable(ontology, preset, ids)
            np.fill_diagonal(above, val=False)
            below[preset] = [np.flatnonzero(column).tolist() for column in above.T]
        return cls(concepts.reset_index(drop=True), below)

    def information(self, preset: PresetName) -> NDArray[np.float64]:
        """Return the information content of the concepts among training proteins, in bits [n_concepts].

        Raises:
            InputError: the table lacks it.
        """
        column = INFORMATION_COLUMNS[preset]
        if column not in self.concepts:
            raise InputError(
                f"the table of concepts has no column {column}: run the pipeline annotation again"
            )
        return self.concepts[column].to_numpy(np.float64)

    def columns(self) -> dict[str, NDArray[np.int64]]:
        """Return aspect to the indices of its concepts; `all` has them all. Aspects without concepts are left
        out."""
        aspect = self.concepts["aspect"].to_numpy()
        others = sorted(set(aspect) - set(ASPECTS))
        by_aspect = {name: np.flatnonzero(aspect == name) for name in (*ASPECTS, *others)}
        return {
            **{name: found for name, found in by_aspect.items() if len(found)},
            "all": np.arange(len(aspect)),
        }

    def averaged(self) -> list[str]:
        """Return the aspects that `mean` is taken over: the ontology's, or all there are without them."""
        names = list(self.columns())
        return [name for name in names if name in ASPECTS] or [name for name in names if name != "all"]
