"""How alike the annotations of proteins are: Lin's similarity of terms, best matches averaged over terms.

A term's information is -log2 of the share of annotated proteins that have it, itself or below; from the
training split alone, so that nothing of the proteins under judgement enters. Terms are as alike as the
information of the most informative ancestor that they share (themselves included) is large::

    Lin(t, u) = 2 I(shared) / (I(t) + I(u))

A protein is described by its most specific terms. Two proteins p, q are as alike as the mean, over the terms
of p, of the best match among those of q, averaged with the same from q to p (best-match average): 1 where
both have the same terms, 0 where they share the root only.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.ontology.closure import AncestorClosure

Floats = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class AnnotationSimilarity:
    """Similarities of proteins under one aspect, row by row, from what each has in common with every term.

    Held are two arrays [n_proteins, n_terms] (one sparse), never [n_proteins, n_proteins].
    """

    protein_ids: list[str]
    """The proteins with an annotation in the aspect [n_proteins], sorted."""
    best: NDArray[np.float32]
    """Each protein's best match with each term that any protein is described by [n_proteins, n_terms]."""
    described: Any
    """Share of each term in a protein's description, `scipy.sparse.csr_array` [n_proteins, n_terms]; rows sum
    to 1."""

    def rows(self, proteins: IntArray) -> Floats:
        """Return the similarities of some proteins with all [b, n_proteins]."""
        forth = (self.described @ self.best[proteins].T).T
        back = self.described[proteins] @ self.best.T
        return np.asarray((np.asarray(forth, np.float64) + back) / 2)


def annotation_similarity(
    annotated: pd.DataFrame, trained: pd.DataFrame, closure: AncestorClosure, term_ids: NDArray[Any]
) -> AnnotationSimilarity:
    """Prepare the similarities of the proteins of `annotated`.

    Args:
        annotated: `protein_id`, `concept_id` of the proteins to compare; propagated, or not.
        trained: the same columns of the training proteins, where information comes from.
        closure: ancestors under the relations that count.
        term_ids: the terms of the aspect; annotations with others are left out.
    """
    wanted = closure.index(term_ids)
    ids, held = _propagated(annotated, closure, wanted)
    n_trained, seen = _propagated(trained, closure, wanted)
    information = term_information(np.diff(seen.tocsc().indptr), len(n_trained))
    specific = _most_specific(held, closure.ancestors)
    terms = np.unique(specific.indices)
    between = lin_similarity(terms, closure.ancestors, information)
    described = specific[:, terms]
    best = np.zeros((len(ids), len(terms)), np.float32)
    for protein in range(len(ids)):
        own = described.indices[described.indptr[protein] : described.indptr[protein + 1]]
        best[protein] = between[own].max(axis=0)
    described.data = np.repeat(1.0 / np.diff(described.indptr), np.diff(described.indptr))
    return AnnotationSimilarity(ids, best, described.astype(np.float32))


def term_information(n_with_term: NDArray[Any], n_proteins: int) -> Floats:
    """Return -log2 of the share of proteins that have each term [n_terms].

    One more protein is thought to have all terms, so that one that no protein has is finite.
    """
    found: Floats = -np.log2((np.asarray(n_with_term, np.float64) + 1) / (n_proteins + 1))
    return found


def lin_similarity(terms: IntArray, ancestors: Any, information: Floats) -> NDArray[np.float32]:
    """Return Lin's similarity of every pair of terms [n, n].

    A term without information (all proteins have it) is like itself alone.

    Args:
        terms: positions of the terms in the closure [n].
        ancestors: reflexive closure, CSR [n_terms, n_terms], row below column.
        information: of every term of the closure [n_terms].
    """
    from scipy.sparse import csc_array

    below = csc_array(ancestors[terms])
    shared = np.zeros((len(terms), len(terms)), np.float32)
    used = np.flatnonzero((np.diff(below.indptr) > 0) & (information > 0))
    for ancestor in used[np.argsort(information[used], kind="stable")]:  # the most informative writes last
        rows = below.indices[below.indptr[ancestor] : below.indptr[ancestor + 1]]
        shared[np.ix_(rows, rows)] = information[ancestor]
    own = information[terms]
    both = own[:, None] + own[None, :]
    found = np.where(both > 0, 2 * shared / np.where(both > 0, both, 1), 0.0).astype(np.float32)
    np.fill_diagonal(found, 1.0)
    return found


def _propagated(table: pd.DataFrame, closure: AncestorClosure, wanted: IntArray) -> tuple[list[str], Any]:
    """Return the proteins with a term of `wanted`, sorted, and what they have with all its ancestors there.

    The matrix is bool CSR [n_proteins, all terms of the closure].
    """
    from scipy.sparse import csr_array

    place = closure.index(table["concept_id"])
    inside = np.zeros(len(closure.term_ids), bool)
    inside[wanted[wanted >= 0]] = True
    kept = (place >= 0) & inside[place]
    codes, names = pd.factorize(table.loc[kept, "protein_id"].astype("object"), sort=True)
    entries = (np.ones(len(codes), bool), (codes, place[kept]))
    direct = csr_array(entries, shape=(len(names), len(closure.term_ids)), dtype=bool)
    held = csr_array(direct @ closure.ancestors)
    held.data = inside[held.indices]
    held.eliminate_zeros()
    return [str(name) for name in names], held


def _most_specific(held: Any, ancestors: Any) -> Any:
    """Return the terms of each protein that are no ancestor of another of its terms, float64 CSR."""
    from scipy.sparse import csr_array

    # How many of a protein's terms are at or below each term: one, itself, where it is most specific.
    n_below = csr_array(held.astype(np.int32) @ ancestors.astype(np.int32))
    n_below.data = (n_below.data == 1).astype(np.int32)
    found = csr_array(n_below.multiply(held.astype(np.int32)), dtype=np.float64)
    found.eliminate_zeros()
    found.sort_indices()
    return found
