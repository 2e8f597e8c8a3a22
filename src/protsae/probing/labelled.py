"""Proteins of the three splits with their labels, sequences and homology clusters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.annotations.labels import LabelTables
from protsae.core.letters import character_codes
from protsae.core.seeding import numpy_generator
from protsae.metrics.association import ResidueTruth
from protsae.metrics.bootstrap import cluster_weights
from protsae.probing.splits import SplitLabels, labels_by_split, protein_level


@dataclass(frozen=True)
class LabelledProteins:
    """Proteins with activations, and what is known of them."""

    ids: dict[str, list[str]]
    """Split to sorted protein ids."""
    letters: dict[str, NDArray[np.uint8]]
    """Protein id to the character codes of its residues."""
    concepts: pd.DataFrame
    """The `concepts` table, in the order of `concept_idx`."""
    labels: dict[str, SplitLabels]
    """Split to the labels of its proteins, of all concepts."""
    spans: dict[str, pd.DataFrame]
    """Split to its residue labels; `concept_idx` counts the concepts of residues only."""
    clusters: Mapping[str, str]
    """Protein id to homology cluster."""

    @classmethod
    def of(cls, proteins: pd.DataFrame, tables: LabelTables, available: Iterable[str]) -> "LabelledProteins":
        """Take the proteins of the three splits that have activations.

        Args:
            proteins: `protein_id`, `sequence`, `split`, `cluster_id`.
            tables: concepts and what carries them.
            available: ids of the proteins with activations.
        """
        labels = labels_by_split(proteins, tables, set(available))
        ids = {split: of.protein_ids for split, of in labels.items()}
        column = np.cumsum(tables.is_residue_level) - 1
        kept = tables.residue_labels[tables.is_residue_level[tables.residue_labels["concept_idx"]]]
        kept = kept.assign(concept_idx=column[kept["concept_idx"]])
        spans = {split: kept[kept["protein_id"].isin(set(names))] for split, names in ids.items()}
        inside = proteins[proteins["protein_id"].isin({name for names in ids.values() for name in names})]
        letters = {
            protein_id: character_codes(sequence)
            for protein_id, sequence in zip(inside["protein_id"], inside["sequence"], strict=True)
        }
        clusters = dict(zip(inside["protein_id"], inside["cluster_id"].astype(str), strict=True))
        concepts = tables.concepts.reset_index(drop=True)
        return cls(ids, letters, concepts, labels, spans, clusters)

    @property
    def of_residues(self) -> NDArray[np.int64]:
        """Rows of the concepts of residues in `concepts`."""
        return np.flatnonzero(self.concepts["level"] == "residue")

    @property
    def of_proteins(self) -> NDArray[np.int64]:
        """Rows of the concepts of whole proteins in `concepts`."""
        return protein_level(self.concepts)

    @property
    def protein_labels(self) -> dict[str, SplitLabels]:
        """Split to the labels of its proteins, of the concepts of whole proteins."""
        return {split: labels.of_concepts(self.of_proteins) for split, labels in self.labels.items()}

    @property
    def known_together(self) -> NDArray[np.int64]:
        """Number of the aspect of each concept of residues."""
        return pd.factorize(self.concepts["aspect"].iloc[self.of_residues])[0]

    def truth(self, split: str, protein_ids: list[str] | None = None) -> ResidueTruth:
        """Return what is known of the residues of some proteins of a split; None: all, in their order."""
        names = self.ids[split] if protein_ids is None else protein_ids
        row = pd.Index(self.ids[split]).get_indexer(pd.Index(names))
        known = self.labels[split].labelled[np.ix_(row, self.of_residues)]
        return ResidueTruth.of(self.spans[split], names, self.lengths(names), known)

    def lengths(self, protein_ids: Sequence[str]) -> dict[str, int]:
        """Return protein id to number of residues."""
        return {name: len(self.letters[name]) for name in protein_ids}

    def letters_of(self, protein_ids: Sequence[str]) -> NDArray[np.uint8]:
        """Return the character codes of the residues of some proteins, one after another."""
        return np.concatenate([np.empty(0, np.uint8), *(self.letters[name] for name in protein_ids)])

    def sequences(self, protein_ids: Sequence[str] | None = None) -> dict[str, str]:
        """Return protein id to sequence, of all proteins where None."""
        names = list(self.letters) if protein_ids is None else protein_ids
        return {name: self.letters[name].tobytes().decode("latin-1") for name in names}

    def test_clusters(self) -> list[str]:
        """Return the homology cluster of each test protein."""
        return [self.clusters[protein_id] for protein_id in self.ids["test"]]

    def resamples(self, n_resamples: int, seed: int) -> NDArray[np.int64]:
        """Return weights of the test proteins in resamples of their clusters [n_resamples, n_proteins]."""
        return cluster_weights(self.test_clusters(), n_resamples, numpy_generator(seed, "cluster_bootstrap"))
