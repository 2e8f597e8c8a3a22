"""What a judge without a language model says of designs, beside what the plan wrote of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.annotations.labels import label_matrix
from protsae.core.seeding import numpy_generator
from protsae.core.splits import SPLITS
from protsae.steering.judges import LEAST_AUC, Known, ProbeJudge, kmers
from protsae.steering.targets import parents_of, with_ancestors

KMER_COLUMNS = ("kmer_auc", "kmer_score", "original_kmer_score", "kmer_off_target_change")
_MIN_PROTEINS = 10
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CrossJudge:
    """Two judges by k-mers, each trained on one half of the homology clusters, which judges the other."""

    concept_ids: tuple[str, ...]
    """Those with enough proteins in both halves."""
    judges: tuple[ProbeJudge, ProbeJudge]
    """The first judges proteins of half 0."""
    half_of: dict[str, int]
    """Protein id to half."""

    @classmethod
    def fit(
        cls,
        proteins: pd.DataFrame,
        concepts: pd.DataFrame,
        protein_labels: pd.DataFrame,
        labelled_aspects: pd.DataFrame,
    ) -> "CrossJudge | None":
        """Train both; None where no concept has enough proteins.

        Args:
            proteins: `protein_id`, `sequence`, `cluster_id`, `split`; those of no split are not read.
            concepts: `concept_idx`, `concept_id`, `aspect`.
            protein_labels: `protein_id`, `concept_idx`.
            labelled_aspects: `protein_id`, `aspect`.
        """
        proteins = proteins[proteins["split"].isin(SPLITS)]
        clusters = np.unique(proteins["cluster_id"].astype(str))
        order = numpy_generator(0, "halves of a steering judge").permutation(len(clusters))
        half_of_cluster = dict(zip(clusters[order], np.arange(len(clusters)) % 2, strict=True))
        half = proteins["cluster_id"].astype(str).map(half_of_cluster).to_numpy()
        ids = proteins["protein_id"].tolist()
        labels, labelled = label_matrix(protein_labels, labelled_aspects, concepts, ids)
        has = labels > 0
        enough = np.ones(len(concepts), bool)
        for side in (0, 1):
            for one in (has, ~has):
                enough &= (one & labelled)[half == side].sum(axis=0) >= _MIN_PROTEINS
        if not enough.any():
            return None
        names = tuple(concepts["concept_id"][enough])
        first, second = (
            Known(
                proteins["sequence"][half == side].tolist(),
                has[half == side][:, enough],
                labelled[half == side][:, enough],
            )
            for side in (0, 1)
        )
        judges = (ProbeJudge.fit(kmers, names, second, first), ProbeJudge.fit(kmers, names, first, second))
        return cls(names, judges, dict(zip(ids, half.tolist(), strict=True)))

    @property
    def auc(self) -> Floats:
        """Mean of both judges' AUC on the half that they were not trained on [n_concepts]."""
        found: Floats = np.mean([judge.held_out_auc for judge in self.judges], axis=0)
        return found

    def scores(self, protein_ids: Sequence[str], sequences: Sequence[str]) -> Floats:
        """Return how far designs of proteins have concepts, by the judge that saw no relative of the protein
        [n, n_concepts]. Proteins that are not among those of the run go to the first judge."""
        half = np.array([self.half_of.get(name, 0) for name in protein_ids])
        both = [judge.scores(sequences) for judge in self.judges]
        found: Floats = np.where(half[:, None] == 0, *both)
        return found


def with_kmer_scores(
    designs: pd.DataFrame, judge: CrossJudge | None, relations: pd.DataFrame | None
) -> pd.DataFrame:
    """Return designs with `KMER_COLUMNS`.

    `kmer_auc` says how well the judge ranks natural proteins for the target. The scores are of the target,
    and missing where that is below `LEAST_AUC`. `kmer_off_target_change` is the mean change of the scores of
    all concepts that have such a judge, the target's relatives left out.

    Args:
        designs: `id`, `go_id`, `original_sequence`, `generated_sequence`.
        judge: see `CrossJudge.fit`; None: all columns are missing.
        relations: `child_id`, `parent_id`; None: a concept has no relatives.
    """
    found = designs.assign(**dict.fromkeys(KMER_COLUMNS, np.nan))
    if judge is None:
        return found
    names, is_good = pd.Index(judge.concept_ids), judge.auc >= LEAST_AUC
    parents = {} if relations is None else parents_of(relations)
    above = {name: with_ancestors(name, parents) for name in names}
    for target, rows in designs.groupby("go_id", sort=False):
        ids = rows["id"].tolist()
        before, after = (
            judge.scores(ids, rows[f"{which}_sequence"].tolist()) for which in ("original", "generated")
        )
        over = with_ancestors(str(target), parents)
        others = is_good & np.array([name not in over and target not in above[name] for name in names])
        if others.any():
            change = np.abs(after - before)[:, others].mean(axis=1)
            found.loc[rows.index, "kmer_off_target_change"] = change
        if target in names:
            i = names.get_loc(target)
            found.loc[rows.index, "kmer_auc"] = judge.auc[i]
            if is_good[i]:
                found.loc[rows.index, "kmer_score"] = after[:, i]
                found.loc[rows.index, "original_kmer_score"] = before[:, i]
    return found
