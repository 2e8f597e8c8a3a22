"""One dictionary aligned with all concepts: relevance F1, residue and domain-aware F1, k-sparse probes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.alignment.config import ChoiceConfig, KSparseConfig
from protsae.alignment.dictionaries import Composition, Dictionary
from protsae.alignment.ground import Ground
from protsae.alignment.identity import LetterCounts, choose_letters, count_letters, letter_ranks
from protsae.alignment.k_sparse import Sample, k_sparse_aucs
from protsae.alignment.pairs import ALIGNMENT_COLUMNS, Chosen, Floor, Judged, PairCounts, judge
from protsae.alignment.proteins import Pooled, align_proteins
from protsae.alignment.reading import Part, Reader
from protsae.alignment.residues import LEVELS, align_residues
from protsae.core.seeding import numpy_generator
from protsae.interpretation.matching import always_on_f1
from protsae.metrics.association import harmonic
from protsae.probing.batches import ProteinSource
from protsae.probing.splits import SPLITS, SplitLabels

K_SPARSE_COLUMNS = (
    "method", "level", "aspect", "concept_id", "name", "k", "latents", "n_train", "n_test", "auc_test",
)  # fmt: skip
IDENTITY = "residue_identity"
Found = dict[str, tuple[Chosen, PairCounts]]
_Probes = tuple[pd.DataFrame, dict[tuple[str, int], NDArray[np.float64]]]


@dataclass(frozen=True)
class Subject:
    """What is aligned."""

    dictionary: Dictionary
    source: ProteinSource
    hook_point: str


@dataclass(frozen=True)
class Bench:
    """What all subjects are judged on, and by."""

    ground: Ground
    config: ChoiceConfig
    k_sparse: KSparseConfig
    proteins_too: bool = True
    """False: concepts of residues only."""

    @cached_property
    def weights(self) -> NDArray[np.int64]:
        """Resamples of the test proteins, the same for all: differences are paired."""
        return self.ground.resamples(self.config.n_resamples, self.config.seed)

    @cached_property
    def protein_labels(self) -> dict[str, SplitLabels]:
        """Labels of the concepts of whole proteins."""
        columns = self.ground.of_proteins
        return {split: labels.of_concepts(columns) for split, labels in self.ground.labels.items()}

    @cached_property
    def identity(self) -> Found:
        """Residue identity at every level that has concepts."""
        found: Found = {}
        if len(self.ground.of_residues):
            ranks = letter_ranks(self.ground)
            validation, test = (count_letters(self.ground, split, ranks) for split in SPLITS[1:])
            for level in LEVELS:
                chosen = choose_letters(validation, by_instance=level == "domain")
                found[level] = chosen, _letters(test, chosen, level)
        if len(self.ground.of_proteins):
            # Letters need no activations, so the source is never asked.
            pooled = _composition(self.ground, self.config)
            found["protein"] = align_proteins(pooled, self.protein_labels, self._one_latent)
        return found

    @property
    def _one_latent(self) -> ChoiceConfig:
        return self.config.model_copy(update={"n_latents": 1})

    def of_residues_only(self) -> "Bench":
        """Return the same without the concepts of whole proteins."""
        return replace(self, proteins_too=False)

    def floor(self, level: str) -> Floor:
        """Return what latents of a level have to exceed."""
        ground = self.ground
        rows = ground.of_proteins if level == "protein" else ground.of_residues
        if level == "protein":
            always_on = always_on_f1(self.protein_labels["test"])
        else:
            truth = ground.truth("test")
            n_positive = truth.by_protein()[0].sum(axis=0)
            always_on = harmonic(n_positive / np.maximum(truth.n_known(), 1), np.minimum(n_positive, 1))
        return Floor(ground.concepts.iloc[rows], always_on, self.identity[level][1])

    def judged(self, found: Found) -> dict[str, Judged]:
        """Judge pairs level by level."""
        return {
            level: judge(chosen, counts, self.floor(level), self.weights, self.config)
            for level, (chosen, counts) in found.items()
        }


@dataclass(frozen=True)
class Alignment:
    """What one method gives."""

    pairs: dict[str, Judged]
    """Level to its pairs of concept and latent."""
    k_sparse: pd.DataFrame
    """`K_SPARSE_COLUMNS` but for `method`."""
    k_sparse_samples: Mapping[tuple[str, int], NDArray[np.float64]]
    """Level and k to the AUC of its concepts in every resample [n_resamples, n_concepts]."""


def align(subject: Subject, bench: Bench, pooled: Pooled | None = None) -> Alignment:
    """Align one dictionary with all concepts.

    Args:
        subject: the dictionary, and where it reads.
        bench: what it is judged on.
        pooled: split to latents pooled over residues, where somebody has them; None: made here.
    """
    ground, config = bench.ground, bench.config
    reader = Reader(subject.source, subject.hook_point, subject.dictionary, ground, config.residues_per_batch)
    of_proteins = len(ground.of_proteins) > 0 and bench.proteins_too
    sampled = sampled_proteins(ground, bench.k_sparse) if len(ground.of_residues) else {}
    gathered = reader.gather(config.pooling if of_proteins and pooled is None else None, sampled)
    found: Found = {}
    probes: list[_Probes] = []
    if of_proteins:
        means = gathered.pooled if pooled is None else pooled
        found["protein"] = align_proteins(means, bench.protein_labels, config)
        samples = {
            split: Sample(means[split], labels.labels, labels.labelled)
            for split, labels in bench.protein_labels.items()
        }
        probes.append(_k_sparse_rows(bench, "protein", samples))
    if len(ground.of_residues):
        found.update(align_residues(reader, config))
        residues = {split: residue_sample(reader, split, parts) for split, parts in gathered.samples.items()}
        names = [name for own, _ in gathered.samples["test"] for name in own]
        probes.append(_k_sparse_rows(bench, "residue", residues, _rows_of(ground, names)))
    tables = _joined([table for table, _ in probes], K_SPARSE_COLUMNS[1:])
    samples_of = {key: values for _, by_key in probes for key, values in by_key.items()}
    return Alignment(bench.judged(found), tables, samples_of)


def align_identity(bench: Bench) -> Alignment:
    """Return residue identity as a method of its own: what the others are compared with."""
    return Alignment(bench.judged(bench.identity), _joined([], K_SPARSE_COLUMNS[1:]), {})


def alignment_table(method: str, supervision: str, alignment: Alignment) -> pd.DataFrame:
    """Return the pairs of all levels in the columns `ALIGNMENT_COLUMNS`."""
    parts = [
        judged.table.assign(method=method, supervision=supervision, level=level)
        for level, judged in alignment.pairs.items()
    ]
    return _joined(parts, ALIGNMENT_COLUMNS)


def sampled_proteins(ground: Ground, config: KSparseConfig) -> dict[str, frozenset[str]]:
    """Draw whole proteins of training and of test until their residues are as many as the config bounds."""
    drawn = {}
    for split in ("train", "test"):
        ids = ground.ids[split]
        order = numpy_generator(config.seed, "k_sparse", split).permutation(len(ids))
        before = np.cumsum([0, *(len(ground.letters[ids[i]]) for i in order)])[:-1]
        drawn[split] = frozenset(ids[i] for i in order[before < config.max_residues])
    return drawn


def residue_sample(reader: Reader, split: str, parts: list[Part]) -> Sample:
    """Line up the codes of sampled proteins with their labels, residue by residue."""
    from scipy import sparse

    n_latents = reader.dictionary.n_latents
    blocks = [
        sparse.csr_matrix((codes.values, codes.latents, codes.indptr), shape=(len(codes), n_latents))
        for _, codes in parts
    ]
    truth = reader.ground.truth(split, [name for names, _ in parts for name in names])
    return Sample(sparse.vstack(blocks).tocsc(), *truth.dense())


def _rows_of(ground: Ground, names: list[str]) -> NDArray[np.int64]:
    """Return the test protein that each residue of some test proteins is of: its place in the split."""
    lengths = [len(ground.letters[name]) for name in names]
    return np.repeat(pd.Index(ground.ids["test"]).get_indexer(pd.Index(names)), lengths)


def _k_sparse_rows(
    bench: Bench, level: str, samples: Mapping[str, Sample], owner: NDArray[np.int64] | None = None
) -> _Probes:
    ground = bench.ground
    rows = ground.of_proteins if level == "protein" else ground.of_residues
    about = ground.concepts[["aspect", "concept_id", "name"]].iloc[rows].reset_index(drop=True)
    parts, resampled = [], {}
    arguments = samples["train"], samples["test"], bench.k_sparse, bench.weights, owner
    for probes in k_sparse_aucs(*arguments):
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
    return _joined(parts, K_SPARSE_COLUMNS[1:]), resampled


class _LettersOnly:
    """A source of proteins without activations, for what reads sequences alone."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def iter_proteins(
        self, hook_point: str, protein_ids: list[str] | None = None
    ) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Yield ids with empty rows."""
        for protein_id in protein_ids or []:
            yield protein_id, np.empty((len(self._ground.letters[protein_id]), 0), np.float32)


def letters_only(ground: Ground) -> ProteinSource:
    """Return a source for dictionaries that read sequences alone."""
    return _LettersOnly(ground)


def _composition(ground: Ground, config: ChoiceConfig) -> dict[str, NDArray[np.float64]]:
    reader = Reader(letters_only(ground), "", Composition(), ground, config.residues_per_batch)
    return reader.gather(config.pooling, {}).pooled


def _letters(test: LetterCounts, chosen: Chosen, level: str) -> PairCounts:
    return test.pairs(chosen.latent, by_instance=level == "domain")


def _joined(parts: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(parts, ignore_index=True)[list(columns)]
