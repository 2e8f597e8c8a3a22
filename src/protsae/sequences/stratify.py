"""How evenly a split shares out the positives of every concept."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class ConceptShares:
    """Positives of concepts by cluster, so that many splits of the clusters are judged quickly."""

    counts: Any
    """Sparse integers [n_concepts, n_clusters]: proteins of the cluster that have the concept."""

    @property
    def n_concepts(self) -> int:
        """Return how many concepts have proteins enough."""
        return int(self.counts.shape[0])

    def imbalance(self, split_of_cluster: NDArray[np.int64], fractions: NDArray[np.float64]) -> float:
        """Return the mean, over concepts, of the share of positives that would have to move.

        For each concept that is `sum_s |n_s / n - fraction_s| / 2` (the total variation distance between
        where its positives are and where they should be), 0 at best.

        Args:
            split_of_cluster: number of the split of each cluster, [n_clusters].
            fractions: share that each split should have, [n_splits].
        """
        if not self.n_concepts:
            return 0.0
        positives = self.counts @ np.eye(len(fractions))[split_of_cluster]
        shares = positives / positives.sum(axis=1, keepdims=True)
        return float((np.abs(shares - fractions).sum(axis=1) / 2).mean())


def concept_shares(
    protein_concepts: pd.DataFrame, cluster_of: pd.Series, cluster_ids: list[str], min_positives: int
) -> ConceptShares:
    """Count positives by concept and cluster.

    Args:
        protein_concepts: `protein_id`, `concept_id`; a pair counts once, and not if the protein is unknown.
        cluster_of: cluster id by protein id.
        cluster_ids: order of the clusters.
        min_positives: proteins that a concept must have.
    """
    from scipy.sparse import csr_array

    clusters = pd.Index(cluster_ids).get_indexer(pd.Index(cluster_of))
    protein = _places(protein_concepts["protein_id"], pd.Index(cluster_of.index))
    concepts = pd.Index(sorted(protein_concepts["concept_id"].unique()))
    concept = _places(protein_concepts["concept_id"], concepts)
    n_proteins = max(len(cluster_of), 1)
    known = protein >= 0
    pairs = np.sort(concept[known] * n_proteins + protein[known])  # np.unique takes ten times as long
    concept, protein = np.divmod(pairs[np.diff(pairs, prepend=-1) > 0], n_proteins)
    ones = np.ones(len(concept), dtype=np.int32)
    counts = csr_array((ones, (concept, clusters[protein])), shape=(len(concepts), len(cluster_ids)))
    return ConceptShares(counts[np.asarray(counts.sum(axis=1)).ravel() >= min_positives])


def _places(values: pd.Series, order: pd.Index) -> NDArray[np.int64]:
    """Return the place of each value in `order`, -1 where it is not in there. Looks up every value once."""
    code, distinct = pd.factorize(values)
    return order.get_indexer(pd.Index(distinct)).astype(np.int64)[code]
