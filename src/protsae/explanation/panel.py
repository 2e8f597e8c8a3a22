"""Proteins laid out for windows: letters, positions, concepts, and where each latent fires.

Between two proteins, and before and after all, lie as many rows without a residue as a window is wide on one
side, so that no window holds residues of two proteins.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.annotations.spans import span_rows
from protsae.core.letters import AMINO_ACIDS, code_table
from protsae.encoding.codes import CodeStore
from protsae.probing.labelled import LabelledProteins

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

N_LETTERS = len(AMINO_ACIDS)
_CODE = code_table(AMINO_ACIDS, N_LETTERS)


@dataclass(frozen=True)
class Panel:
    """Some whole proteins of one split, in stored order."""

    protein_ids: list[str]
    first_row: Ints
    """Row of each protein's first residue [n_proteins]."""
    letters: NDArray[np.int8]
    """Amino acid of each row, `N_LETTERS` for any other letter and where there is no residue [n_rows]."""
    protein: NDArray[np.int32]
    """Position of each row's protein, -1 where there is no residue [n_rows]."""
    position: NDArray[np.int32]
    """0-based position of each row in its protein [n_rows]."""
    lengths: Ints
    """Residues of each protein [n_proteins]."""
    carries: Bools
    """Whether a protein is known to carry each concept [n_proteins, n_concepts]."""
    spans: Mapping[int, tuple[Ints, Ints]]
    """Concept of residues to begin and end (exclusive), in rows, of its spans."""
    indptr: Ints
    """Where the firing residues of each latent begin [n_latents + 1]."""
    rows: NDArray[np.int32]
    """Their rows, ascending within a latent."""
    acts: NDArray[np.float32]
    """Their activations."""

    @property
    def is_residue(self) -> Bools:
        """Which rows are residues [n_rows]."""
        return self.protein >= 0

    def firing(self, latent: int) -> tuple[Ints, NDArray[np.float32]]:
        """Return the rows on which a latent fires, ascending, and its activations there."""
        at = slice(int(self.indptr[latent]), int(self.indptr[latent + 1]))
        return self.rows[at].astype(np.int64), self.acts[at]

    def fires_on(self, latent: int, rows: Ints) -> Bools:
        """Return on which of some rows, of any shape, a latent fires."""
        return _is_in(self.firing(latent)[0], rows)

    def carries_here(self, concept: int, rows: Ints) -> Bools:
        """Return which of some rows, of any shape, lie in a span of a concept of residues."""
        begin, end = self.spans.get(concept, (np.empty(0, np.int64), np.empty(0, np.int64)))
        return _is_in(np.unique(span_rows(begin, end)[0]), rows)


def _is_in(ascending: Ints, rows: Ints) -> Bools:
    if not len(ascending):
        return np.zeros(rows.shape, dtype=bool)
    place = np.minimum(np.searchsorted(ascending, rows), len(ascending) - 1)
    found: Bools = ascending[place] == rows
    return found


def largest_activations(codes: CodeStore, protein_ids: Collection[str]) -> Floats:
    """Return the largest activation of each latent in some proteins [n_latents]; 0: it never fires."""
    largest = np.zeros(codes.n_latents)
    for _, part in codes.read(protein_ids):
        np.maximum(largest, part.largest(len(largest)), out=largest)
    return largest


def read_panel(
    codes: CodeStore,
    proteins: LabelledProteins,
    protein_ids: Collection[str],
    split: str,
    cut: Floats,
    gap: int,
) -> Panel:
    """Lay out some proteins of a split.

    Args:
        codes: the dictionary's codes, of whole proteins.
        proteins: their letters and labels.
        protein_ids: which proteins.
        split: theirs.
        cut: the least activation that counts as firing [n_latents]; inf: a latent never fires.
        gap: rows between proteins.

    Raises:
        InputError: a protein is not stored whole.
    """
    codes.require_whole(proteins.lengths(list(protein_ids)))
    names: list[str] = []
    parts: list[tuple[Any, Any, Any]] = []
    n_residues = 0
    for of_part, part in codes.read(protein_ids):
        kept = part.values >= cut[part.latents]
        residue = np.repeat(np.arange(len(part)), np.diff(part.indptr))[kept]
        parts.append((part.latents[kept], part.values[kept], residue + n_residues))
        names, n_residues = names + of_part, n_residues + len(part)
    empty = (np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64))
    latents, values, residues = (np.concatenate(of) for of in zip(empty, *parts, strict=True))
    lengths = np.array([len(proteins.letters[name]) for name in names], np.int64)
    before = np.cumsum(lengths) - lengths
    first_row = before + gap * np.arange(1, len(names) + 1)
    rows_of, owner = span_rows(first_row, first_row + lengths)
    n_rows = n_residues + gap * (len(names) + 1)
    letters, protein, position = (
        np.full(n_rows, N_LETTERS, np.int8),
        np.full(n_rows, -1, np.int32),
        np.zeros(n_rows, np.int32),
    )
    letters[rows_of], protein[rows_of] = _CODE[proteins.letters_of(names)], owner
    position[rows_of] = rows_of - first_row[owner]
    order = np.argsort(latents.astype(np.uint16) if len(cut) <= 2**16 else latents, kind="stable")
    labels = proteins.labels[split]
    row = pd_index(labels.protein_ids, names)
    return Panel(
        names,
        first_row,
        letters,
        protein,
        position,
        lengths,
        (labels.labels & labels.labelled)[row],
        _spans(proteins, split, names, first_row),
        np.searchsorted(latents[order], np.arange(len(cut) + 1)),
        rows_of[residues[order]].astype(np.int32),
        values[order],
    )


def pd_index(names: list[str], wanted: list[str]) -> Ints:
    """Return the position of each of `wanted` in `names`."""
    place = {name: i for i, name in enumerate(names)}
    return np.array([place[name] for name in wanted], np.int64)


def _spans(
    proteins: LabelledProteins, split: str, names: list[str], first_row: Ints
) -> dict[int, tuple[Ints, Ints]]:
    """Return concept to its spans in rows."""
    first = dict(zip(names, first_row.tolist(), strict=True))
    table = proteins.spans[split]
    table = table[table["protein_id"].isin(first)]
    begin = table["protein_id"].map(first).to_numpy(np.int64)
    found = {}
    for column, rows in table.assign(begin=begin).groupby("concept_idx"):
        at = rows["begin"].to_numpy(np.int64)
        start, end = rows["start"].to_numpy(np.int64), rows["end"].to_numpy(np.int64)
        found[int(proteins.of_residues[int(str(column))])] = (at + start, at + end)
    return found
