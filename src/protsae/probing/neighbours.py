"""The baseline by sequence: concepts of the most similar training proteins, weighted by their alignments."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.splits import HELD_OUT
from protsae.metrics.bootstrap import macro_mean
from protsae.metrics.ranking import roc_auc
from protsae.probing.config import NeighbourConfig
from protsae.probing.splits import SplitLabels
from protsae.sequences import mmseqs
from protsae.sequences.homology import Hit, SearchConfig, find_hits

Floats = NDArray[np.float64]

NEIGHBOUR_COLUMNS = ("protein_id", "neighbour_id", "identity", "bits")
_SMALLEST_E_VALUE = 1e-300  # programs print 0 for less


def find_neighbours(proteins: pd.DataFrame, config: NeighbourConfig) -> pd.DataFrame:
    """Search validation and test proteins among the training proteins.

    Args:
        proteins: `protein_id`, `sequence`, `split`.
        config: which program, and how far it looks.

    Returns:
        `protein_id`, `neighbour_id`, `identity` and `bits` (bit score of the alignment), by protein and
        falling bits. Proteins without a neighbour have no row.
    """
    by_split = {
        split: dict(zip(table["protein_id"], table["sequence"], strict=True))
        for split, table in proteins.groupby("split")
    }
    queries = {name: text for split in HELD_OUT for name, text in by_split.get(split, {}).items()}
    targets = by_split.get("train", {})
    search = SearchConfig(max_e_value=config.max_e_value, max_candidates=config.max_neighbours)
    find = mmseqs.search if config.method == "mmseqs" else find_hits
    n_residues = sum(map(len, targets.values()))
    rows = [
        (hit.query_id, hit.target_id, hit.identity, _bits(hit, len(queries[hit.query_id]) * n_residues))
        for hit in find(queries, targets, search)
    ]
    found = pd.DataFrame(rows, columns=list(NEIGHBOUR_COLUMNS))
    ordered = found.sort_values(
        ["protein_id", "bits", "neighbour_id"], ascending=[True, False, True], ignore_index=True
    )
    return ordered.groupby("protein_id").head(config.max_neighbours).reset_index(drop=True)


def neighbour_scores(
    neighbours: pd.DataFrame, splits: Mapping[str, SplitLabels], priors: Sequence[float]
) -> dict[str, Floats]:
    """Score concepts by the share of neighbours that carry them, weighted by bit scores.

    (sum of the bits of neighbours with the concept + prior x prevalence) / (sum of the bits of neighbours
    that are labelled in its aspect + prior): without neighbours it is the prevalence among training proteins.

    Args:
        neighbours: see `find_neighbours`.
        splits: labels by split; those of the training proteins are transferred.
        priors: strengths of the prevalence that are tried, in bits; one is chosen, by macro AUC on
            validation.

    Returns:
        Split to scores [n, n_concepts].
    """
    train = splits["train"]
    carried = (train.labels & train.labelled).astype(np.float64)
    counted = train.labelled.astype(np.float64)
    prevalence = carried.sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
    sums = {}
    for split in HELD_OUT:
        weights = _weights(neighbours, splits[split].protein_ids, train.protein_ids)
        sums[split] = np.asarray(weights @ carried), np.asarray(weights @ counted)

    def scores(split: str, prior: float) -> Floats:
        with_concept, labelled = sums[split]
        shares: Floats = (with_concept + prior * prevalence) / (labelled + prior)
        return shares

    validation = splits["validation"]
    chosen = max(
        priors,
        key=lambda prior: float(
            macro_mean(roc_auc(scores("validation", prior), validation.labels, validation.labelled))[0]
        ),
    )
    return {split: scores(split, chosen) for split in HELD_OUT}


def _bits(hit: Hit, search_space: float) -> float:
    """Return the bit score S that the E-value stands for: E = search space x 2^-S."""
    return max(0.0, float(np.log2(search_space / max(hit.e_value, _SMALLEST_E_VALUE))))


def _weights(neighbours: pd.DataFrame, queries: Sequence[str], targets: Sequence[str]) -> NDArray[np.float64]:
    """Return bit scores, `scipy.sparse.csr_array` [n_queries, n_targets]."""
    from scipy.sparse import csr_array

    row = pd.Index(queries).get_indexer(pd.Index(neighbours["protein_id"]))
    column = pd.Index(targets).get_indexer(pd.Index(neighbours["neighbour_id"]))
    known = (row >= 0) & (column >= 0)
    values = neighbours["bits"].to_numpy(np.float64)[known]
    matrix: NDArray[np.float64] = csr_array(
        (values, (row[known], column[known])), shape=(len(queries), len(targets))
    )
    return matrix
