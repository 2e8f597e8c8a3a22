"""Every latent against every concept of residues, at all thresholds, in one pass over sparse codes.

The domain-aware F1 of InterPLM (Simon and Zou 2025): a latent, divided by its largest activation, fires where
it exceeds a threshold. Precision counts residues: those inside the concept among those that fire. Recall
counts instances (domains, sites, bonds): those with any residue that fires among all of them. An instance
belongs to one protein, whatever follows it in the stream.

Each code lies at one level, the number of thresholds that it exceeds, so residues and instances are counted
once, by level, and every threshold is a running sum. Nothing of residues x latents is ever held: memory is
16 bytes x concepts x latents x thresholds, 320 MB at 400 x 10,000 x 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.annotations.labels import check_inside
from protsae.annotations.spans import span_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

THRESHOLDS = (0.0, 0.15, 0.5, 0.6, 0.8)
"""InterPLM's, of a latent's largest activation."""
SPAN_FIELDS = ("concept", "instance", "begin", "fresh", "end")


@dataclass(frozen=True)
class ResidueCodes:
    """The active latents of residues, residue after residue."""

    indptr: Ints
    """Where the codes of each residue begin [n_residues + 1]."""
    latents: NDArray[np.int32]
    """Latent of each code; at most once per residue."""
    values: NDArray[np.float32]
    """Its activation."""

    @classmethod
    def of_dense(cls, acts: NDArray[np.floating[Any]]) -> "ResidueCodes":
        """Take the positive entries of [n_residues, n_latents]."""
        row, latent = np.nonzero(acts > 0)
        counts = np.bincount(row, minlength=len(acts))
        values = np.asarray(acts[row, latent], np.float32)
        return cls(np.concatenate([[0], np.cumsum(counts)]), latent.astype(np.int32), values)

    def __len__(self) -> int:
        """Return the number of residues."""
        return len(self.indptr) - 1

    def rows(self, kept: NDArray[np.bool_]) -> "ResidueCodes":
        """Return the codes of some residues, `kept` [n_residues] saying which."""
        counts = np.diff(self.indptr)
        of_kept = np.repeat(kept, counts)
        indptr = np.concatenate([[0], np.cumsum(counts[kept])])
        return ResidueCodes(indptr, self.latents[of_kept], self.values[of_kept])

    def largest(self, n_latents: int) -> Floats:
        """Return the largest activation of each latent [n_latents]; 0 where it is never active."""
        from protsae.metrics.association_kernels import largest_of

        found = np.zeros(n_latents)
        largest_of(self.latents, self.values, found)
        return found


@dataclass(frozen=True)
class ResidueTruth:
    """What is known of the residues of some proteins, which lie one after another."""

    first_row: Ints
    """Where each protein begins, and where the last one ends [n_proteins + 1]."""
    known: NDArray[np.bool_]
    """[n_proteins, n_concepts]: whether the protein is labelled for the concept."""
    spans: Ints
    """`SPAN_FIELDS` by row [5, n_spans], by concept and instance. `instance` is a number of its own for
    every protein, concept and instance; the rows `begin` to `end` belong to it, of which those before `fresh`
    lie in a span before it too, so that a residue counts once for a concept."""

    @classmethod
    def of(
        cls,
        residue_labels: pd.DataFrame,
        protein_ids: Sequence[str],
        lengths: Mapping[str, int],
        known: NDArray[np.bool_],
    ) -> "ResidueTruth":
        """Order the spans as `protein_ids`; spans of concepts that are not labelled are left out.

        Args:
            residue_labels: `annotations.labels.RESIDUE_LABEL_COLUMNS`, concepts by their columns in `known`.
            protein_ids: the proteins.
            lengths: residues of each protein.
            known: [n_proteins, n_concepts].

        Raises:
            InputError: a span ends after the last residue of its protein.
        """
        sizes = np.array([lengths[protein_id] for protein_id in protein_ids], dtype=np.int64)
        first_row = np.concatenate([[0], np.cumsum(sizes)])
        owner = pd.Index(protein_ids).get_indexer(pd.Index(residue_labels["protein_id"]))
        spans, owner = residue_labels[owner >= 0], owner[owner >= 0]
        names = ("concept_idx", "instance", "start", "end")
        concept, instance, start, end = (spans[name].to_numpy(np.int64) for name in names)
        check_inside(spans, end > sizes[owner], lengths)
        rows = np.stack([concept, owner, instance, first_row[owner] + start, first_row[owner] + end])
        return cls(first_row, known, _instances(rows[:, known[owner, concept] & (end > start)]))

    def by_protein(self) -> tuple[Ints, Ints]:
        """Return the residues and the instances of each concept, both [n_proteins, n_concepts]."""
        concept, instance, begin, fresh, end = self.spans
        protein = np.searchsorted(self.first_row, begin, side="right") - 1
        sizes, instances = np.zeros(self.known.shape, np.int64), np.zeros(self.known.shape, np.int64)
        np.add.at(sizes, (protein, concept), end - fresh)
        opens = np.diff(instance, prepend=-1) > 0
        np.add.at(instances, (protein[opens], concept[opens]), 1)
        return sizes, instances

    def dense(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return positive and labelled, both [n_residues, n_concepts]: for a sample, never for a split."""
        concept, _, _, fresh, end = self.spans
        labels = np.zeros((int(self.first_row[-1]), self.known.shape[1]), dtype=bool)
        rows, which = span_rows(fresh, end)
        labels[rows, concept[which]] = True
        return labels, np.repeat(self.known, np.diff(self.first_row), axis=0)

    def n_known(self) -> Ints:
        """Return the number of residues that are labelled for each concept [n_concepts]."""
        return np.diff(self.first_row) @ self.known.astype(np.int64)


def _instances(rows: Ints) -> Ints:
    """Return spans [5, n] from concept, protein, instance, begin and end [5, n]: sorted, instances numbered,
    and where each begins to be new."""
    rows = rows[:, np.lexsort((rows[4], rows[3], rows[1], rows[0]))]
    concept, protein, instance, begin, end = rows
    base = concept * int(end.max(initial=0))  # rows of one concept never go back from a protein to the next
    reached = np.concatenate([[0], np.maximum.accumulate(end + base)[:-1]])[: len(base)] - base
    fresh = np.clip(reached, begin, end)
    order = np.lexsort((begin, instance, protein, concept))
    keys = rows[:3, order]
    new = np.ones(len(fresh), dtype=bool)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    return np.stack([concept[order], np.cumsum(new) - 1, begin[order], fresh[order], end[order]])


@dataclass(frozen=True)
class AssociationScores:
    """Agreement of latents with one concept, [n_latents, n_thresholds] each; 0 where nothing fires."""

    precision: Floats
    """Residues inside the concept among the labelled ones that fire."""
    recall: Floats
    """Residues that fire among those of the concept."""
    domain_recall: Floats
    """Instances with a residue that fires among those of the concept."""

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall, residue by residue."""
        return harmonic(self.precision, self.recall)

    @property
    def domain_f1(self) -> Floats:
        """Harmonic mean of precision and recall of instances: InterPLM's."""
        return harmonic(self.precision, self.domain_recall)


@dataclass(frozen=True)
class AssociationCounts:
    """What one pass counts, by level; `at_least` makes it threshold by threshold."""

    inside: Ints
    """[n_concepts, n_latents, n_thresholds]: residues of the concept at this level."""
    hit: Ints
    """The same of instances, at the highest level of any residue."""
    active: Ints
    """[n_groups, n_latents, n_thresholds]: labelled residues at this level."""
    group: Ints
    """The group of each concept: those that are labelled in the same proteins [n_concepts]."""
    n_positive: Ints
    """Residues of each concept [n_concepts]."""
    n_instances: Ints
    """Instances of each concept [n_concepts]."""
    n_known: Ints
    """Labelled residues of each concept [n_concepts]."""

    def __add__(self, other: "AssociationCounts") -> "AssociationCounts":
        """Return the counts of both, of the same concepts and groups."""
        both = {name: getattr(self, name) + getattr(other, name) for name in vars(self) if name != "group"}
        return AssociationCounts(group=self.group, **both)

    def scores(self, concept: int) -> AssociationScores:
        """Return the scores of all latents at all thresholds for one concept."""
        inside = at_least(self.inside[concept])
        return AssociationScores(
            inside / np.maximum(at_least(self.active[self.group[concept]]), 1),
            inside / max(int(self.n_positive[concept]), 1),
            at_least(self.hit[concept]) / max(int(self.n_instances[concept]), 1),
        )

    def always_on(self) -> Floats:
        """Return the F1 of an always-on latent [n_concepts]: 2 p / (1 + p), p the share of residues."""
        floor: Floats = 2 * self.n_positive / np.maximum(self.n_known + self.n_positive, 1)
        return floor


class AssociationAccumulator:
    """Adds up parts of the residues.

    Args:
        largest: largest activation of each latent on the split of the selection [n_latents].
        known_together: the group of each concept [n_concepts]: concepts of one group are labelled in the same
            proteins, such as those of one aspect.
        thresholds: ascending, of the largest activation.
    """

    def __init__(
        self, largest: Floats, known_together: Sequence[int] | Ints, thresholds: Sequence[float] = THRESHOLDS
    ) -> None:
        self.largest = np.asarray(largest, np.float64)
        self.thresholds = np.asarray(thresholds, np.float64)
        if not (np.diff(self.thresholds) > 0).all() or not 1 <= len(self.thresholds) < 256:
            raise ValueError(f"thresholds have to ascend: {list(thresholds)}")
        group = np.asarray(known_together, np.int64)
        n_groups = int(group.max(initial=-1)) + 1
        shape = (len(self.largest), len(self.thresholds))
        self._counts = AssociationCounts(
            inside=np.zeros((len(group), *shape), np.int64),
            hit=np.zeros((len(group), *shape), np.int64),
            active=np.zeros((n_groups, *shape), np.int64),
            group=group,
            n_positive=np.zeros(len(group), np.int64),
            n_instances=np.zeros(len(group), np.int64),
            n_known=np.zeros(len(group), np.int64),
        )

    def update(self, codes: ResidueCodes, truth: ResidueTruth) -> None:
        """Add the residues of some whole proteins.

        Raises:
            ValueError: the codes are of another number of residues than the truth, or concepts of one group
                are not labelled in the same proteins.
        """
        from protsae.metrics import association_kernels as kernels

        if len(codes) != truth.first_row[-1]:
            raise ValueError(f"codes of {len(codes)} residues, truth of {truth.first_row[-1]}")
        counts = self._counts
        levels = kernels.levels_of(codes.latents, codes.values, self.largest, self.thresholds)
        of_group = np.zeros((len(truth.known), len(counts.active)), dtype=bool)
        of_group[:, counts.group] = truth.known
        if not np.array_equal(of_group[:, counts.group], truth.known):
            raise ValueError("concepts of one group are not labelled in the same proteins")
        indices = (codes.indptr, codes.latents, levels)
        kernels.count_active(*indices, truth.first_row, of_group, counts.active)
        kernels.count_in_spans(*indices, truth.spans, counts.inside, counts.hit)
        n_positive, n_instances = truth.by_protein()
        counts.n_positive[:] += n_positive.sum(axis=0)
        counts.n_instances[:] += n_instances.sum(axis=0)
        counts.n_known[:] += truth.n_known()

    def counts(self) -> AssociationCounts:
        """Return what has been counted so far."""
        return self._counts


def count_pairs(
    codes: ResidueCodes,
    truth: ResidueTruth,
    largest: Floats,
    thresholds: Sequence[float],
    pairs: tuple[Ints, Ints, Ints],
) -> Ints:
    """Count protein by protein for some pairs of concept and latent: what resampling of proteins needs.

    Args:
        codes: of whole proteins.
        truth: about them.
        largest: what activations are divided by [n_latents].
        thresholds: ascending.
        pairs: concept, latent, and how many of the thresholds have to be exceeded, each [n_pairs].

    Returns:
        [3, n_proteins, n_pairs]: residues of the concept that fire, labelled residues that fire, instances
        with one that fires.
    """
    from protsae.metrics import association_kernels as kernels

    concept, latent, level = pairs
    order = np.argsort(latent, kind="stable")
    begins = np.searchsorted(latent[order], np.arange(len(largest) + 1))
    levels = kernels.levels_of(codes.latents, codes.values, largest, np.asarray(thresholds, np.float64))
    sorted_counts = np.zeros((3, len(truth.known), len(concept)), dtype=np.int64)
    kernels.count_pairs(
        *(codes.indptr, codes.latents, levels, truth.first_row, truth.spans, truth.known),
        np.stack([concept[order], level[order]]),
        begins,
        sorted_counts,
    )
    counts = np.empty_like(sorted_counts)
    counts[:, :, order] = sorted_counts
    return counts


def at_least(by_level: Ints) -> Ints:
    """Return counts at or above each level, from counts at each of them [..., n_thresholds]."""
    return np.flip(np.cumsum(np.flip(by_level, axis=-1), axis=-1), axis=-1)


def harmonic(precision: NDArray[Any], recall: NDArray[Any]) -> Floats:
    """Return 2 p r / (p + r), and 0 where both are 0."""
    both = np.asarray(precision + recall, np.float64)
    f1: Floats = 2 * precision * recall / np.where(both > 0, both, 1.0)
    return f1
