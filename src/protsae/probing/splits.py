"""Labels and features of proteins, split by split."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.annotations.labels import LabelTables
from protsae.core.errors import InputError
from protsae.core.splits import SPLITS


@dataclass(frozen=True)
class SplitLabels:
    """The proteins of one split and what is known of them."""

    protein_ids: list[str]
    """Sorted ids [n]."""
    labels: NDArray[np.bool_]
    """[n, n_concepts], true for positives."""
    labelled: NDArray[np.bool_]
    """[n, n_concepts], false where the protein is not labelled in the concept's aspect."""

    @classmethod
    def joined(cls, by_split: "Mapping[str, SplitLabels]", splits: Sequence[str]) -> "SplitLabels":
        """Return the labels of some splits, one after another."""
        some = [by_split[split] for split in splits]
        return cls(
            [protein_id for of in some for protein_id in of.protein_ids],
            np.concatenate([of.labels for of in some]),
            np.concatenate([of.labelled for of in some]),
        )

    def of_concepts(self, columns: NDArray[np.int64]) -> "SplitLabels":
        """Return the labels of some concepts, by their columns."""
        return SplitLabels(self.protein_ids, self.labels[:, columns], self.labelled[:, columns])

    def of_proteins(self, inside: NDArray[np.bool_]) -> "SplitLabels":
        """Return the labels of some proteins, by a mask [n]."""
        ids = [protein_id for protein_id, kept in zip(self.protein_ids, inside, strict=True) if kept]
        return SplitLabels(ids, self.labels[inside], self.labelled[inside])


def protein_level(concepts: pd.DataFrame) -> NDArray[np.int64]:
    """Return the `concept_idx` of the concepts of whole proteins, ascending: those that are scored."""
    return np.flatnonzero(concepts["level"] == "protein")


def split_of_proteins(
    proteins: pd.DataFrame, available: Collection[str], splits: Sequence[str] = SPLITS
) -> dict[str, str]:
    """Return protein id to split for the proteins that are in one of `splits` and have activations.

    Raises:
        InputError: a split is left without proteins.
    """
    usable = proteins[proteins["split"].isin(splits) & proteins["protein_id"].isin(set(available))]
    empty = [split for split in splits if not (usable["split"] == split).any()]
    if empty:
        raise InputError(
            f"no protein of split {', '.join(empty)} has activations: extract them, or change the split"
        )
    return dict(zip(usable["protein_id"], usable["split"], strict=True))


def labels_by_split(
    proteins: pd.DataFrame, tables: LabelTables, available: Collection[str]
) -> dict[str, SplitLabels]:
    """Return the labels of every split, for the proteins that have activations.

    Args:
        proteins: the `proteins` table.
        tables: concepts and what carries them.
        available: ids of the proteins that were encoded.
    """
    split_of = split_of_proteins(proteins, available)
    found = {}
    for split in SPLITS:
        ids = sorted(protein_id for protein_id, its_split in split_of.items() if its_split == split)
        labels, labelled = tables.matrix(ids)
        found[split] = SplitLabels(ids, np.asarray(labels, bool), np.asarray(labelled, bool))
    return found


def feature_matrix(table: pd.DataFrame, column: str, protein_ids: Sequence[str]) -> NDArray[Any]:
    """Return the vectors of `column` for proteins, in their order [n, d].

    Raises:
        InputError: the table lacks the column or a protein.
    """
    if column not in table:
        raise InputError(f"the encoding has no '{column}': it was made from a dictionary without concepts")
    indexed = table.set_index("protein_id")[column]
    missing = [protein_id for protein_id in protein_ids if protein_id not in indexed.index]
    if missing:
        raise InputError(f"{len(missing)} proteins were not encoded, the first is {missing[0]}: encode again")
    return np.stack(indexed.loc[list(protein_ids)].tolist())
