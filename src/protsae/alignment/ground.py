"""What all methods are judged by: proteins of the splits, their labels, resamples of homology clusters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.annotations.labels import LabelTables
from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator
from protsae.metrics.association import ResidueTruth
from protsae.metrics.bootstrap import cluster_weights
from protsae.probing.batches import ProteinBatch
from protsae.probing.splits import SPLITS, SplitLabels, split_of_proteins


@dataclass(frozen=True)
class Ground:
    """Proteins with activations, and what is known of them."""

    ids: dict[str, list[str]]
    """Split to sorted protein ids."""
    letters: dict[str, NDArray[np.uint8]]
    """Protein id to the character codes of its residues."""
    concepts: pd.DataFrame
    """The `concepts` table, sorted by `concept_idx`."""
    labels: dict[str, SplitLabels]
    """Split to the labels of its proteins, of all concepts."""
    spans: dict[str, pd.DataFrame]
    """Split to its residue labels; `concept_idx` counts the concepts of residues only."""
    clusters: Mapping[str, str]
    """Protein id to homology cluster."""

    @classmethod
    def of(cls, proteins: pd.DataFrame, tables: LabelTables, available: Sequence[str]) -> "Ground":
        """Line up the proteins of the three splits that have activations.

        Args:
            proteins: `protein_id`, `sequence`, `split`, `cluster_id`.
            tables: concepts and what carries them.
            available: ids of the proteins with activations.
        """
        split_of = split_of_proteins(proteins, available)
        ids = {split: sorted(p for p, its in split_of.items() if its == split) for split in SPLITS}
        labels, spans = {}, {}
        column = np.cumsum(tables.is_residue_level) - 1
        kept = tables.residue_labels[tables.is_residue_level[tables.residue_labels["concept_idx"]]]
        kept = kept.assign(concept_idx=column[kept["concept_idx"]])
        for split, names in ids.items():
            positive, known = tables.matrix(names)
            labels[split] = SplitLabels(names, positive > 0, known)
            spans[split] = kept[kept["protein_id"].isin(set(names))]
        inside = proteins[proteins["protein_id"].isin(split_of)]
        letters = {
            protein_id: np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)
            for protein_id, sequence in zip(inside["protein_id"], inside["sequence"], strict=True)
        }
        clusters = dict(zip(inside["protein_id"], inside["cluster_id"].astype(str), strict=True))
        concepts = tables.concepts.sort_values("concept_idx", ignore_index=True)
        return cls(ids, letters, concepts, labels, spans, clusters)

    @property
    def of_residues(self) -> NDArray[np.int64]:
        """Rows of the concepts of residues in `concepts`."""
        return np.flatnonzero(self.concepts["level"] == "residue")

    @property
    def of_proteins(self) -> NDArray[np.int64]:
        """Rows of the concepts of whole proteins in `concepts`."""
        return np.flatnonzero(self.concepts["level"] == "protein")

    @property
    def known_together(self) -> NDArray[np.int64]:
        """Number of the aspect of each concept of residues."""
        return pd.factorize(self.concepts["aspect"].iloc[self.of_residues])[0]

    def truth(self, split: str, protein_ids: list[str] | None = None) -> ResidueTruth:
        """Return what is known of the residues of some proteins of a split; None: all, in their order."""
        names = self.ids[split] if protein_ids is None else protein_ids
        row = pd.Index(self.ids[split]).get_indexer(pd.Index(names))
        known = self.labels[split].labelled[np.ix_(row, self.of_residues)]
        lengths = {name: len(self.letters[name]) for name in names}
        return ResidueTruth.of(self.spans[split], names, lengths, known)

    def sequences(self) -> dict[str, str]:
        """Return protein id to sequence."""
        return {name: letters.tobytes().decode("latin-1") for name, letters in self.letters.items()}

    def letters_of(self, batch: ProteinBatch) -> NDArray[np.uint8]:
        """Return the character codes of a batch's residues.

        Raises:
            InputError: a protein's sequence is not as long as its activations.
        """
        for protein_id, length in zip(batch.protein_ids, batch.lengths, strict=True):
            if len(self.letters[protein_id]) != length:
                raise InputError(
                    f"{protein_id} has {len(self.letters[protein_id])} residues but activations of {length}: "
                    "concepts of residues need all of them. Extract again, with residues_per_protein null "
                    "and long_sequences window or full"
                )
        return np.concatenate([self.letters[protein_id] for protein_id in batch.protein_ids])

    def resamples(self, n_resamples: int, seed: int) -> NDArray[np.int64]:
        """Return weights of the test proteins in resamples of their clusters [n_resamples, n_proteins]."""
        clusters = [self.clusters[protein_id] for protein_id in self.ids["test"]]
        return cluster_weights(clusters, n_resamples, numpy_generator(seed, "cluster_bootstrap"))
