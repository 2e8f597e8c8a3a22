"""Information content of terms, in the two definitions in use. They differ: say which one a figure uses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def cafa_information(positives: Any, parents: Any, terms: IntArray) -> FloatArray:
    """Return the information accretion of the CAFA evaluation, in bits [len(terms)].

    ``IA(c) = log2(number of proteins with all parents of c / number of proteins with c)`` (Clark and
    Radivojac 2013). A term without parents is measured against all proteins. Infinite if no protein has it.

    Args:
        positives: propagated annotations with their roots, bool CSC [n_proteins, n_terms].
        parents: direct parents, bool CSR [n_terms, n_terms].
        terms: columns to measure.
    """
    above = [_parents(parents, term) for term in terms]
    n_with_all = [_n_holding_all(positives, columns) for columns in above]
    return _log_ratio(np.asarray(n_with_all), np.diff(positives.indptr)[terms])


def deepgo_information(positives: Any, parents: Any, terms: IntArray) -> FloatArray:
    """Return DeepGO's information content, in bits [len(terms)].

    ``IC(c) = log2(number of proteins with the rarest parent of c / number of proteins with c)``; 0 for a term
    without parents. Infinite where no protein has the term. DeepGO counts over all splits; here the caller
    chooses.

    Args:
        positives: propagated annotations with their roots, bool CSC [n_proteins, n_terms].
        parents: direct parents, bool CSR [n_terms, n_terms].
        terms: columns to measure.
    """
    counts = np.diff(positives.indptr)
    above = [_parents(parents, term) for term in terms]
    rarest = [
        counts[columns].min() if len(columns) else counts[t] for t, columns in zip(terms, above, strict=True)
    ]
    return _log_ratio(np.asarray(rarest), counts[terms])


def _parents(parents: Any, term: int) -> IntArray:
    return np.asarray(parents.indices[parents.indptr[term] : parents.indptr[term + 1]], np.int64)


def _n_holding_all(positives: Any, columns: IntArray) -> int:
    """Count the proteins that have every one of `columns`."""
    n_held = np.zeros(positives.shape[0], np.int64)
    for column in columns:
        n_held[positives.indices[positives.indptr[column] : positives.indptr[column + 1]]] += 1
    return int((n_held == len(columns)).sum())


def _log_ratio(above: Any, own: Any) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(own == 0, np.inf, np.asarray(above, np.float64) / own)
    return np.log2(ratio)
