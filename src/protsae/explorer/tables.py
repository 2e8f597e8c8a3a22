"""What the explorer is made from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.files import sha256_file
from protsae.encoding.codes import CodeStore
from protsae.explorer.literals import texts
from protsae.ontology.obo import Ontology
from protsae.reporting.dictionaries import Dictionaries
from protsae.sae.checkpoint import SaeCheckpoint

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class DictionaryTables:
    """The tables of one dictionary, in the columns of docs/architecture.md; those that may be absent are
    None."""

    sae_checkpoint: SaeCheckpoint
    latents: pd.DataFrame
    latent_concepts: pd.DataFrame
    latent_examples: pd.DataFrame
    training_log: pd.DataFrame
    residue_codes: CodeStore
    encoding: pd.DataFrame
    monosemanticity: pd.DataFrame | None = None
    latent_cards: pd.DataFrame | None = None
    latent_windows: pd.DataFrame | None = None
    latent_enrichment: pd.DataFrame | None = None
    explanations: pd.DataFrame | None = None
    missing_annotations: pd.DataFrame | None = None
    concept_scorers: pd.DataFrame | None = None

    @property
    def n_latents(self) -> int:
        """Width of the dictionary."""
        return len(self.latents)


@dataclass(frozen=True)
class ExplorerTables:
    """The tables of a run."""

    dictionaries: Dictionaries
    of: Mapping[str, DictionaryTables]
    """By dictionary."""
    proteins: pd.DataFrame
    concepts: pd.DataFrame
    protein_labels: pd.DataFrame
    labelled_aspects: pd.DataFrame
    residue_labels: pd.DataFrame
    protein_concepts: pd.DataFrame
    ontology: Ontology
    metrics: pd.DataFrame
    method_differences: pd.DataFrame
    density_histogram: pd.DataFrame
    concept_metrics: pd.DataFrame
    concept_alignment: pd.DataFrame
    missing_annotations_check: pd.DataFrame | None = None
    data_sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def order(self) -> tuple[str, ...]:
        """The dictionaries in the order of their positions in data files."""
        return self.dictionaries.order

    @cached_property
    def _hashes(self) -> list[str]:
        return [sha256_file(self.of[name].sae_checkpoint.path) for name in self.order]

    def dictionary_of(self, sha256: str | None) -> int | None:
        """Return the position of the dictionary with this hash; None if it is none of the run's."""
        return self._hashes.index(sha256) if sha256 in self._hashes else None

    @cached_property
    def _concept_index(self) -> "pd.Index[str]":
        return pd.Index(self.concepts["concept_id"].astype(str))

    @cached_property
    def _protein_index(self) -> "pd.Index[str]":
        return pd.Index(self.proteins["protein_id"].astype(str))

    def concept(self, ids: Iterable[str]) -> Ints:
        """Return the rows of concepts; -1 where an id is none of the run's."""
        return np.asarray(self._concept_index.get_indexer(pd.Index(list(ids), dtype=object)), np.int64)

    def protein(self, ids: Iterable[str]) -> Ints:
        """Return the rows of proteins; -1 where an id is none of the run's."""
        return np.asarray(self._protein_index.get_indexer(pd.Index(list(ids), dtype=object)), np.int64)

    def descriptions(self, protein_ids: pd.Series) -> list[str]:
        """Return the descriptions of proteins; empty for ids that are none of the run's."""
        known = texts(self.proteins["description"])
        return [known[row] if row >= 0 else "" for row in self.protein(protein_ids).tolist()]

    def carries(self, protein_ids: pd.Series, concept: Ints) -> list[bool | None]:
        """Return whether proteins are annotated with concepts; None where that is not known.

        Args:
            protein_ids: a protein of each pair.
            concept: row of the concept of each pair; -1: none.
        """
        if not len(self.concepts):
            return [None] * len(concept)
        ids = protein_ids.astype(str)
        aspects = self.concepts["aspect"].astype(str).to_numpy(object)[concept]
        positive = self.protein_labels[["protein_id", "concept_idx"]].astype({"protein_id": str})
        labelled = self.labelled_aspects[["protein_id", "aspect"]].astype(str)
        has = pd.MultiIndex.from_arrays([ids, concept]).isin(pd.MultiIndex.from_frame(positive))
        known = pd.MultiIndex.from_arrays([ids, aspects]).isin(pd.MultiIndex.from_frame(labelled))
        known &= concept >= 0
        return [bool(h) if k else None for h, k in zip(has, known | has, strict=True)]
