"""Labels of proteins and of residues: positive, negative, or not labelled in an aspect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.annotations.spans import span_rows
from protsae.core.errors import InputError

RESIDUE_LABEL_COLUMNS = ("protein_id", "concept_idx", "instance", "start", "end")


def label_table(protein_concepts: pd.DataFrame, concepts: pd.DataFrame) -> pd.DataFrame:
    """Return the positive pairs of proteins and concepts, whatever the split.

    What is absent is a negative if the protein is labelled in the concept's aspect (`labelled_aspects`), and
    not labelled otherwise: unknown, which is not a negative.

    Args:
        protein_concepts: `protein_id`, `concept_id`; propagated.
        concepts: `concept_idx`, `concept_id`.

    Returns:
        `protein_id` (categorical: millions of rows at full size), `concept_idx` (int32). Sorted by both.
    """
    index = pd.Index(concepts["concept_id"]).get_indexer(pd.Index(protein_concepts["concept_id"]))
    kept = index >= 0
    protein_ids = protein_concepts.loc[kept, "protein_id"]
    codes, names = pd.factorize(protein_ids, sort=True)
    concept_idx = concepts["concept_idx"].to_numpy(np.int32)[index[kept]]
    order = np.lexsort((concept_idx, codes))
    return pd.DataFrame(
        {
            "protein_id": pd.Categorical.from_codes(codes[order], categories=pd.Index(names, dtype="str")),
            "concept_idx": concept_idx[order],
        }
    )


def residue_label_table(residue_concepts: pd.DataFrame, concepts: pd.DataFrame) -> pd.DataFrame:
    """Return the spans of the concepts in the columns `RESIDUE_LABEL_COLUMNS`, sorted.

    Args:
        residue_concepts: `annotations.spans.SPAN_COLUMNS`.
        concepts: `concept_idx`, `concept_id`.
    """
    index = pd.Index(concepts["concept_id"]).get_indexer(pd.Index(residue_concepts["concept_id"]))
    kept = residue_concepts[index >= 0]
    found = kept.assign(concept_idx=concepts["concept_idx"].to_numpy(np.int32)[index[index >= 0]])
    order = ["protein_id", "concept_idx", "start", "end", "instance"]
    return pd.DataFrame(found[list(RESIDUE_LABEL_COLUMNS)].sort_values(order, ignore_index=True))


def label_matrix(
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    concepts: pd.DataFrame,
    protein_ids: Sequence[str],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return labels as dense arrays, a row per protein in the order given.

    Args:
        protein_labels: `protein_id`, `concept_idx`: the positives.
        labelled_aspects: `protein_id`, `aspect`.
        concepts: `concept_idx` (0 to n_concepts - 1, in this order), `aspect`.
        protein_ids: the proteins wanted, each once.

    Returns:
        labels: float32 [n_proteins, n_concepts], 1 positive, 0 otherwise.
        labelled: bool [n_proteins, n_concepts], whether the label is known.

    Raises:
        InputError: see `check_concept_order`.
    """
    wanted = pd.Index(protein_ids)
    labels = np.zeros((len(wanted), len(concepts)), dtype=np.float32)
    owner = protein_labels["protein_id"].astype("category").cat
    row = wanted.get_indexer(owner.categories)[owner.codes]
    labels[row[row >= 0], protein_labels["concept_idx"].to_numpy()[row >= 0]] = 1.0
    check_concept_order(concepts)
    aspect_of = concepts["aspect"].to_numpy(dtype=object)
    names = pd.Index(pd.unique(aspect_of))
    known = np.zeros((len(wanted), len(names)), dtype=bool)
    row = wanted.get_indexer(pd.Index(labelled_aspects["protein_id"]))
    column = names.get_indexer(pd.Index(labelled_aspects["aspect"]))
    here = (row >= 0) & (column >= 0)
    known[row[here], column[here]] = True
    labelled = known[:, names.get_indexer(pd.Index(aspect_of))]
    labels[~labelled] = 0.0
    return labels, labelled


@dataclass(frozen=True)
class ResidueLabels:
    """Which residues of some proteins carry which concepts, row by row.

    Attributes:
        first_row: row of each protein's first residue [n_proteins + 1]; the last entry is the number of rows.
        indptr: where the concepts of each row begin in `concept_idx` [n_rows + 1].
        concept_idx: concepts of the rows, one after another.
    """

    first_row: NDArray[np.int64]
    indptr: NDArray[np.int64]
    concept_idx: NDArray[np.int64]

    @classmethod
    def of(
        cls, residue_labels: pd.DataFrame, protein_ids: Sequence[str], lengths: Mapping[str, int]
    ) -> "ResidueLabels":
        """Index the spans of `protein_ids`, in their order.

        Args:
            residue_labels: `RESIDUE_LABEL_COLUMNS`.
            protein_ids: the proteins.
            lengths: residues of each protein.

        Raises:
            InputError: a span ends after its protein's last residue.
        """
        sizes = np.array([lengths[protein_id] for protein_id in protein_ids], dtype=np.int64)
        first_row = np.concatenate([[0], np.cumsum(sizes)])
        protein = pd.Index(protein_ids).get_indexer(pd.Index(residue_labels["protein_id"]))
        spans = residue_labels[protein >= 0]
        owner = protein[protein >= 0]
        start, end = spans["start"].to_numpy(np.int64), spans["end"].to_numpy(np.int64)
        check_inside(spans, end > sizes[owner], lengths)
        begin = first_row[owner]
        rows, which = span_rows(begin + start, begin + end)
        concept = spans["concept_idx"].to_numpy(np.int64)[which]
        width = int(concept.max()) + 1 if len(concept) else 1
        keys = np.unique(rows * width + concept)  # a residue under two spans of a concept counts once
        counts = np.bincount(keys // width, minlength=int(first_row[-1]))
        return cls(first_row, np.concatenate([[0], np.cumsum(counts)]), keys % width)

    def dense(
        self, protein: NDArray[np.int64], residue_index: NDArray[np.int64], n_concepts: int
    ) -> NDArray[np.float32]:
        """Return labels of some residues, float32 [n, n_concepts]: 1 where the residue carries the concept.

        Args:
            protein: position of each residue's protein [n].
            residue_index: 0-based position within the protein [n].
            n_concepts: width of the result.
        """
        rows = self.first_row[protein] + residue_index
        places, which = span_rows(self.indptr[rows], self.indptr[rows + 1])
        labels = np.zeros((len(rows), n_concepts), dtype=np.float32)
        labels[which, self.concept_idx[places]] = 1.0
        return labels

    def counts(self, labelled: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the number of residues that carry each concept [n_concepts].

        Args:
            labelled: [n_proteins, n_concepts]; residues of other proteins do not count.
        """
        row = np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))
        protein = np.searchsorted(self.first_row, row, side="right") - 1
        counted = self.concept_idx[labelled[protein, self.concept_idx]]
        return np.bincount(counted, minlength=labelled.shape[1])


def check_concept_order(concepts: pd.DataFrame) -> None:
    """Refuse a table of concepts whose rows are not 0, 1, 2 ... by `concept_idx`: all else relies on it.

    Raises:
        InputError: naming the first row that is out of order.
    """
    wrong = np.flatnonzero(concepts["concept_idx"].to_numpy() != np.arange(len(concepts)))
    if len(wrong):
        raise InputError(
            f"concepts: row {wrong[0]} is concept_idx {concepts['concept_idx'].iloc[wrong[0]]}: rows have to "
            "be in the order of concept_idx, from 0. Make the table again: kedro run --pipelines labelling"
        )


def check_inside(spans: pd.DataFrame, outside: NDArray[np.bool_], lengths: Mapping[str, int]) -> None:
    """Refuse spans that end after their protein's last residue, `outside` [n_spans] saying which.

    Raises:
        InputError: there are any.
    """
    if outside.any():
        first = spans[outside].iloc[0]
        raise InputError(
            f"{outside.sum()} residue labels end after their protein's last residue, such as "
            f"{first['start']} to {first['end']} of {first['protein_id']}, which has "
            f"{lengths[first['protein_id']]} residues: the sequences have changed. Annotate and extract again"
        )


@dataclass(frozen=True)
class LabelTables:
    """The tables that say what proteins and residues carry, as annotation and labelling write them."""

    concepts: pd.DataFrame
    """`concept_idx` (0 to n_concepts - 1, in this order), `concept_id`, `aspect`, `level`."""
    protein_labels: pd.DataFrame
    """`protein_id`, `concept_idx`: the positives, also of residue-level concepts."""
    labelled_aspects: pd.DataFrame
    """`protein_id`, `aspect`."""
    residue_labels: pd.DataFrame
    """`RESIDUE_LABEL_COLUMNS`."""

    def __post_init__(self) -> None:
        """Check the order of the concepts."""
        check_concept_order(self.concepts)

    @property
    def is_residue_level(self) -> NDArray[np.bool_]:
        """Return which concepts residues carry, rather than whole proteins [n_concepts]."""
        return (self.concepts["level"] == "residue").to_numpy(bool, copy=True)

    def matrix(self, protein_ids: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return `label_matrix` of some proteins: labels and labelled, each [n_proteins, n_concepts]."""
        return label_matrix(self.protein_labels, self.labelled_aspects, self.concepts, protein_ids)
