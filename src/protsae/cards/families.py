"""Families of latents: trees of latents that are active on the same residues.

After O'Neill et al. (2024, arXiv 2408.00657), with one change: two latents are linked by the correlation of
their activity (phi), not by the share of the sparser one's residues. With shares every sparse latent hangs on
some dense one, and all latents are one family.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.cards.activity import Activity
from protsae.core.seeding import numpy_generator
from protsae.encoding.codes import CodeStore
from protsae.ontology.closure import ancestor_closure
from protsae.ontology.obo import Ontology

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_SHUFFLES = 200


class Agreement(NamedTuple):
    """How often a link of the tree joins related concepts."""

    share: float
    """Of the links between two latents with different concepts, those between a concept and an ancestor of
    it; NaN without links."""
    floor: float
    """Mean of that share when the concepts are shuffled among the latents that have one."""
    p_value: float
    """Share of shuffles, and one, that reach it."""
    n_links: int


def family_table(codes: CodeStore, activity: Activity, cut: float, max_in_tree: int) -> pd.DataFrame:
    """Return `family` (0 for the largest; -1 for a latent that hangs on no other), `family_parent` (the next
    latent on the way to the family's densest one; -1: none) and `family_link` (phi with it) of each latent.

    Args:
        codes: of the latents.
        activity: of the proteins that are read.
        cut: weaker links are left out.
        max_in_tree: latents that are compared, the ones with most active residues.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

    from protsae.cards.kernels import count_together

    n_latents = activity.n_latents
    members = np.sort(np.argsort(-activity.n_residues, kind="stable")[:max_in_tree])
    column = np.full(n_latents, -1)
    column[members] = np.arange(len(members))
    together = np.zeros((len(members), len(members)), np.int32)
    for _, part in codes.read(activity.protein_ids):
        count_together(part.indptr, part.latents, column, together)
    link = phi(together, len(activity.kinds))
    # A cost of 0 would be no link at all in a sparse matrix.
    tree = minimum_spanning_tree(csr_array(np.where(link > cut, 2 - link, 0)))
    found = pd.DataFrame(
        {"family": np.full(n_latents, -1), "family_parent": np.full(n_latents, -1), "family_link": np.nan}
    )
    n_residues = np.diag(together)
    label = connected_components(tree, directed=False)[1]
    sizes = np.bincount(label)
    ranked = np.argsort(-sizes, kind="stable")
    for family, component in enumerate(ranked[sizes[ranked] > 1].tolist()):
        inside = np.flatnonzero(label == component)
        root = inside[n_residues[inside].argmax()]
        order, before = breadth_first_order(tree, root, directed=False)
        found.loc[members[order], "family"] = family
        found.loc[members[order[1:]], "family_parent"] = members[before[order[1:]]]
        found.loc[members[order[1:]], "family_link"] = link[order[1:], before[order[1:]]]
    return found


def phi(together: NDArray[np.int32], n_rows: int) -> Floats:
    """Return the correlation of every two latents' activity, 0 with itself and where one never varies.

    Args:
        together: residues on which both are active, upper triangle [n, n]; the diagonal: on which one is.
        n_rows: all residues.
    """
    n = np.diag(together).astype(np.float64)
    both = np.triu(together, 1).astype(np.float64)
    spread = np.sqrt(n * (n_rows - n))
    scale = np.outer(spread, spread)
    found: Floats = np.divide(
        n_rows * (both + both.T) - np.outer(n, n), scale, out=np.zeros_like(scale), where=scale > 0
    )
    np.fill_diagonal(found, 0)
    return found


def agreement(parent: Ints, concept_ids: list[str], ontology: Ontology, seed: int) -> Agreement:
    """Compare the links of a tree with an ontology.

    Args:
        parent: of each latent; -1: none [n_latents].
        concept_ids: of each latent; empty: none.
        ontology: `is_a` and `part_of` within an aspect are followed.
        seed: of the shuffles.
    """
    row = ancestor_closure(ontology, "cafa")
    place = row.index(pd.Series(concept_ids, dtype=object))
    child = np.flatnonzero((parent >= 0) & (place >= 0) & (place[parent] >= 0))
    if not (place[child] != place[parent[child]]).any():
        return Agreement(float("nan"), float("nan"), float("nan"), 0)
    links = np.stack([child, parent[child]])
    known, compact = np.unique(place[place >= 0], return_inverse=True)
    above = row.ancestors[known][:, known].toarray().astype(bool)
    related = above | above.T
    concept = np.full(len(place), -1)
    concept[place >= 0] = compact
    share, n_links = _related_share(related, concept[links])
    generator, holders = numpy_generator(seed, "cards", "families"), np.flatnonzero(concept >= 0)
    floors = np.empty(_SHUFFLES)
    for i in range(_SHUFFLES):
        shuffled = concept.copy()
        shuffled[holders] = generator.permutation(concept[holders])
        floors[i] = _related_share(related, shuffled[links])[0]
    p_value = (1 + int((floors >= share).sum())) / (1 + _SHUFFLES)
    return Agreement(share, float(np.nanmean(floors)), p_value, n_links)


def _related_share(related: NDArray[np.bool_], links: Ints) -> tuple[float, int]:
    """Return the share of related pairs among links [2, n] between different concepts, and their number."""
    one, other = links[:, links[0] != links[1]]
    return (float(related[one, other].mean()) if len(one) else float("nan")), len(one)
