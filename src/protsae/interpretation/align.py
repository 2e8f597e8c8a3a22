"""One dictionary aligned with all concepts: relevance F1, residue and domain-aware F1, k-sparse probes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.annotations.labels import LabelTables
from protsae.core.splits import HELD_OUT, SELECTION_SPLITS, SPLITS
from protsae.encoding.codes import Part
from protsae.encoding.sampling import sampled_proteins
from protsae.interpretation.config import ChoiceConfig, KSparseConfig
from protsae.interpretation.identity import choose_letters, composition, count_letters, letter_ranks
from protsae.interpretation.matching import Pooled, always_on_f1
from protsae.interpretation.pairs import (
    ALIGNMENT_COLUMNS,
    Chosen,
    NoLatentScores,
    PairCounts,
    PairScores,
    score_pairs,
)
from protsae.interpretation.proteins import align_proteins
from protsae.interpretation.residues import LEVELS, align_residues
from protsae.interpretation.sources import CodeSource
from protsae.metrics.association import harmonic
from protsae.metrics.table import stack_tables
from protsae.probing.k_sparse import Sample, k_sparse_aucs
from protsae.probing.labelled import LabelledProteins
from protsae.probing.splits import SplitLabels
from protsae.probing.vocabulary import CountedOnce

K_SPARSE_COLUMNS = (
    "method", "level", "aspect", "concept_id", "name", "k", "latents", "n_train", "n_test", "auc_test",
)  # fmt: skip
IDENTITY = "residue_identity"
Found = dict[str, tuple[Chosen, PairCounts]]
_Probes = tuple[pd.DataFrame, dict[tuple[str, int], NDArray[np.float64]]]


@dataclass(frozen=True)
class AlignmentTask:
    """Concepts, proteins and settings that all methods share."""

    proteins: LabelledProteins
    config: ChoiceConfig
    k_sparse: KSparseConfig
    proteins_too: bool = True
    """False: concepts of residues only."""

    @classmethod
    def of(
        cls,
        proteins: pd.DataFrame,
        tables: LabelTables,
        available: Iterable[str],
        config: ChoiceConfig,
        k_sparse: KSparseConfig,
    ) -> "AlignmentTask":
        """Take the proteins that have activations, the `available` ones."""
        return cls(LabelledProteins.of(proteins, tables, available), config, k_sparse)

    @cached_property
    def weights(self) -> NDArray[np.int64]:
        """Resamples of the test proteins, the same for all: differences are paired."""
        return self.proteins.resamples(self.config.n_resamples, self.config.seed)

    @cached_property
    def protein_labels(self) -> dict[str, SplitLabels]:
        """Labels of the concepts of whole proteins."""
        return self.proteins.protein_labels

    @cached_property
    def once(self) -> CountedOnce:
        """Which concepts of whole proteins count, near-twins represented by one of them."""
        concepts = self.proteins.concepts.iloc[self.proteins.of_proteins]
        return CountedOnce.of(concepts, self.protein_labels, self.config.max_jaccard)

    @cached_property
    def identity(self) -> Found:
        """Residue identity at every level that has concepts."""
        found: Found = {}
        if len(self.proteins.of_residues):
            ranks = letter_ranks(self.proteins)
            validation, test = (count_letters(self.proteins, s, ranks) for s in HELD_OUT)
            for level in LEVELS:
                chosen = choose_letters(validation, by_instance=level == "domain")
                found[level] = chosen, test.pairs(chosen.latent, by_instance=level == "domain")
        if len(self.proteins.of_proteins):
            one = self.config.model_copy(update={"n_latents": 1})
            pooled: Pooled = {split: composition(self.proteins, split, one.pooling) for split in SPLITS}
            found["protein"] = align_proteins(pooled, self.protein_labels, one)
        return found

    def sampled(self, split: str) -> list[str]:
        """Return whole proteins, drawn until their residues are as many as the config bounds."""
        ids, config = self.proteins.ids[split], self.k_sparse
        lengths = self.proteins.lengths(ids)
        return sorted(sampled_proteins(ids, lengths, config.max_residues, config.seed, split))

    def without_latents(self, level: str) -> NoLatentScores:
        """Return what latents of a level have to exceed."""
        proteins = self.proteins
        rows = proteins.of_proteins if level == "protein" else proteins.of_residues
        if level == "protein":
            always_on = always_on_f1(self.protein_labels["test"])
        else:
            truth = proteins.truth("test")
            n_positive = truth.by_protein()[0].sum(axis=0)
            always_on = harmonic(n_positive / np.maximum(truth.n_known(), 1), np.minimum(n_positive, 1))
        concepts = proteins.concepts.iloc[rows]
        represented = self.once.represented_by if level == "protein" else concepts["concept_id"]
        concepts = concepts.assign(represented_by=represented)
        return NoLatentScores(concepts, always_on, self.identity[level][1])

    def scores(self, found: Found) -> dict[str, PairScores]:
        """Score pairs level by level."""
        return {
            level: score_pairs(chosen, counts, self.without_latents(level), self.weights, self.config)
            for level, (chosen, counts) in found.items()
        }


@dataclass(frozen=True)
class Alignment:
    """What one method gives."""

    pairs: dict[str, PairScores]
    """Level to its pairs of concept and latent."""
    k_sparse: pd.DataFrame
    """`K_SPARSE_COLUMNS` but for `method`."""
    k_sparse_samples: Mapping[tuple[str, int], NDArray[np.float64]]
    """Level and k to the AUC of its concepts in every resample [n_resamples, n_concepts]."""
    once: CountedOnce
    """Which concepts of whole proteins count."""


def align(codes: CodeSource, pooled: Pooled, task: AlignmentTask) -> Alignment:
    """Align one dictionary with all concepts.

    Args:
        codes: its codes of residues.
        pooled: split to latents pooled over residues [n_proteins, n_latents]; not read without concepts of
            whole proteins.
        task: what is aligned, and how.
    """
    proteins = task.proteins
    found: Found = {}
    probes: list[_Probes] = []
    if len(proteins.of_proteins) and task.proteins_too:
        found["protein"] = align_proteins(pooled, task.protein_labels, task.config)
        samples = {
            split: Sample(np.asfortranarray(pooled[split]), labels.labels, labels.labelled)
            for split, labels in task.protein_labels.items()
        }
        probes.append(_k_sparse_rows(task, "protein", samples))
    if len(proteins.of_residues):
        found.update(align_residues(codes, proteins, task.config, task.sampled("train")))
        needed = {"train", "test", *SELECTION_SPLITS[task.config.selection]}
        parts = {split: list(codes.read(task.sampled(split))) for split in sorted(needed)}
        residues = {split: residue_sample(proteins, codes.n_latents, split, parts[split]) for split in parts}
        names = [name for own, _ in parts["test"] for name in own]
        probes.append(_k_sparse_rows(task, "residue", residues, _owners(proteins, names)))
    tables = stack_tables((table for table, _ in probes), K_SPARSE_COLUMNS[1:])
    samples_of = {key: values for _, by_key in probes for key, values in by_key.items()}
    return Alignment(task.scores(found), tables, samples_of, task.once)


def align_identity(task: AlignmentTask) -> Alignment:
    """Return residue identity as a method of its own: what the others are compared with."""
    return Alignment(task.scores(task.identity), stack_tables([], K_SPARSE_COLUMNS[1:]), {}, task.once)


def alignment_table(method: str, supervision: str, alignment: Alignment) -> pd.DataFrame:
    """Return the pairs of all levels in the columns `ALIGNMENT_COLUMNS`."""
    parts = [
        scores.table.assign(method=method, supervision=supervision, level=level)
        for level, scores in alignment.pairs.items()
    ]
    return stack_tables(parts, ALIGNMENT_COLUMNS)[list(ALIGNMENT_COLUMNS)]


def residue_sample(proteins: LabelledProteins, n_latents: int, split: str, parts: list[Part]) -> Sample:
    """Return the codes and the labels of proteins, residue by residue."""
    from scipy import sparse

    blocks = [
        sparse.csr_matrix((codes.values, codes.latents, codes.indptr), shape=(len(codes), n_latents))
        for _, codes in parts
    ]
    truth = proteins.truth(split, [name for names, _ in parts for name in names])
    return Sample(sparse.vstack(blocks).tocsc(), *truth.dense())


def _owners(proteins: LabelledProteins, names: list[str]) -> NDArray[np.int64]:
    """Return the test protein that each residue of some test proteins is of: its place in the split."""
    place = pd.Index(proteins.ids["test"]).get_indexer(pd.Index(names))
    return np.repeat(place, list(proteins.lengths(names).values()))


def _k_sparse_rows(
    task: AlignmentTask, level: str, samples: Mapping[str, Sample], owner: NDArray[np.int64] | None = None
) -> _Probes:
    proteins = task.proteins
    rows = proteins.of_proteins if level == "protein" else proteins.of_residues
    about = proteins.concepts[["aspect", "concept_id", "name"]].iloc[rows].reset_index(drop=True)
    parts, resampled = [], {}
    for probes in k_sparse_aucs(samples, task.config.selection, task.k_sparse, task.weights, owner):
        resampled[level, probes.k] = probes.resampled
        table = about.assign(
            level=level,
            k=probes.k,
            latents=["; ".join(map(str, chosen)) for chosen in probes.latents.tolist()],
            n_train=samples["train"].labelled.sum(axis=0),
            n_test=samples["test"].labelled.sum(axis=0),
            auc_test=probes.auc,
        )
        parts.append(table)
    return stack_tables(parts, K_SPARSE_COLUMNS[1:])[list(K_SPARSE_COLUMNS[1:])], resampled
