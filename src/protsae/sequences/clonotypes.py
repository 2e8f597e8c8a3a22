"""Clonotypes: chains of one V gene and one J gene whose CDR3s have one length and are nearly the same.

This is how B-cell clones are grouped in the field (Gupta et al. 2017, doi:10.4049/jimmunol.1601850), here by
amino acids. By sequence identity all antibodies are relatives, so that homology cannot split them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.core.letters import character_codes
from protsae.sequences.airr import read_chains
from protsae.sequences.germline import Gene
from protsae.sequences.homology import Hit
from protsae.sequences.table import protein_of_id

COLUMNS = ("protein_id", "v_subgroup", "v_gene", "j_gene", "cdr3")
Linkage = Literal["single", "complete"]
Method = Literal["clonotype", "v_subgroup"]
REARRANGED = frozenset(get_args(Method))
"""Methods of clusters that follow from genes and CDR3."""
_ROUNDING = 1e-9
_BLOCK = 1024


def read_clonotypes(path: Path | None, sequences: pd.DataFrame) -> pd.DataFrame:
    """Return what the clonotype of every chain of a table follows from.

    Chains that are not among the sequences count too, under their own ids: so a sample of the sequences has
    the clusters, and the split, that all of them have. Of several genes that a call names the first in sorted
    order counts, of several rows of one sequence the first.

    Args:
        path: see `sequences.airr`; None gives no rows.
        sequences: `protein_id`, `aliases`.

    Returns:
        `COLUMNS`, by `protein_id`; empty where unknown. Proteins that the table does not name have no row.

    Raises:
        InputError: as `file:line: reason`; none of the chains is at hand.
    """
    rows: dict[str, tuple[str, ...]] = {}
    if path is not None:
        owner = protein_of_id(sequences)
        for chain in read_chains(path, "rearrangements", (("v_call",), ("j_call",)), Counter()):
            protein_id = owner.get(chain.chain_id, chain.chain_id)
            if protein_id not in rows:
                v, j = (next(iter(chain.genes(call)), Gene("", "", "")) for call in ("v_call", "j_call"))
                rows[protein_id] = (protein_id, v.subgroup or v.name, v.name, j.name, chain.cdr3.upper())
        if rows.keys().isdisjoint(owner.values()):
            raise InputError(
                f"{path}: none of its chains is among the sequences (such as "
                f"{sequences['protein_id'].iloc[0]}). Do the files belong together?"
            )
    return pd.DataFrame(sorted(rows.values()), columns=list(COLUMNS), dtype="str")


def clonotype_clusters(clonotypes: pd.DataFrame, min_identity: float, linkage: Linkage) -> dict[str, str]:
    """Return the clonotype of every protein whose V gene, J gene and CDR3 are known: the smallest id in it.

    Args:
        clonotypes: see `read_clonotypes`.
        min_identity: least share of identical residues of two CDR3s of one length.
        linkage: `single`: connected by such pairs; `complete`: all pairs of a cluster are such pairs.
    """
    from scipy.cluster.hierarchy import fcluster
    from scipy.cluster.hierarchy import linkage as tree
    from scipy.spatial.distance import pdist

    cluster_of: dict[str, str] = {}
    for names, codes in _groups(clonotypes):
        distinct, member = np.unique(codes, axis=0, return_inverse=True)
        number = np.ones(1, dtype=np.int64)
        if len(distinct) > 1:
            number = fcluster(
                tree(pdist(distinct, "hamming"), linkage), 1 - min_identity + _ROUNDING, "distance"
            )
        smallest = pd.Series(names).groupby(number[member.ravel()]).transform("min")
        cluster_of.update(zip(names, smallest, strict=True))
    return cluster_of


def nearest_clonotypes(
    queries: Mapping[str, str], targets: Mapping[str, str], clonotypes: pd.DataFrame
) -> list[Hit]:
    """Return per query the target with its V gene, J gene and CDR3 length whose CDR3 is most similar.

    Args:
        queries: protein id to sequence.
        targets: protein id to sequence.
        clonotypes: see `read_clonotypes`.

    Returns:
        Hits whose identity and coverage are those of CDR3. Queries without such a target have none.
    """
    from scipy.spatial.distance import cdist

    hits = []
    for names, codes in _groups(clonotypes):
        query, target = (np.flatnonzero([name in side for name in names]) for side in (queries, targets))
        if not len(target):
            continue
        length = codes.shape[1]
        for start in range(0, len(query), _BLOCK):
            block = query[start : start + _BLOCK]
            mismatches = np.rint(length * cdist(codes[block], codes[target], "hamming"))
            nearest = mismatches.argmin(axis=1)
            for row, at, n in zip(block, nearest, mismatches.min(axis=1), strict=True):
                name, other = names[row], names[target[at]]
                covered, of_target = length / len(queries[name]), length / len(targets[other])
                hits.append(Hit(name, other, (length - n) / length, length, covered, of_target, e_value=0.0))
    return hits


def _groups(clonotypes: pd.DataFrame) -> Iterator[tuple[list[str], NDArray[np.uint8]]]:
    """Yield ids of proteins that share V gene, J gene and CDR3 length, and their CDR3s [n, length]."""
    known = clonotypes[(clonotypes[["v_gene", "j_gene", "cdr3"]] != "").all(axis=1)]
    for _, group in known.groupby(["v_gene", "j_gene", known["cdr3"].str.len()]):
        yield group["protein_id"].tolist(), np.stack([character_codes(cdr3) for cdr3 in group["cdr3"]])
