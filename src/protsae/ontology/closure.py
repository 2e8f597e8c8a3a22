"""Ancestors of every term as a sparse boolean matrix.

Presets: `cafa` follows `is_a` and `part_of` within an aspect, as the CAFA evaluation does; `deepgo` follows
every relation, across aspects too, as DeepGO does. Both follow the relations as stated: what follows from
logical definitions, releases of the Gene Ontology state as `is_a` too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.ontology.graph import cycle_of, depths
from protsae.ontology.obo import Ontology
from protsae.ontology.obo_checks import ACYCLIC_RELATIONS

Preset = Literal["cafa", "deepgo"]
_SHOWN = 5


@dataclass(frozen=True)
class AncestorClosure:
    """Current terms in topological order with their parents and ancestors.

    Attributes:
        term_ids: ids of the current terms [n_terms], ancestors before descendants, ties by id.
        parents: `scipy.sparse.csr_array` of bool [n_terms, n_terms]: row is a direct child of column.
        ancestors: the same shape: column is the row's term itself or above it. Reflexive and transitive, so
            that `annotations @ ancestors` propagates, and doing it twice changes nothing.
    """

    term_ids: NDArray[Any]
    parents: Any
    ancestors: Any

    def index(self, term_ids: Iterable[str]) -> NDArray[np.int64]:
        """Return the positions of `term_ids` in `self.term_ids`; -1 for ids that are not current terms."""
        asked = term_ids.astype(object) if isinstance(term_ids, pd.Series) else list(term_ids)
        return np.asarray(self._positions.get_indexer(pd.Index(asked, dtype=object)), np.int64)

    @cached_property
    def _positions(self) -> Any:
        return pd.Index(self.term_ids, dtype=object)

    def is_root(self) -> NDArray[np.bool_]:
        """Return which terms have descendants but no parents [n_terms]; a term with neither is no root."""
        n_parents = np.diff(self.parents.indptr)
        n_children = np.bincount(self.parents.indices, minlength=len(self.term_ids))
        return np.asarray((n_parents == 0) & (n_children > 0))


def preset_relations(ontology: Ontology, preset: Preset) -> pd.DataFrame:
    """Return the relations between current terms that `preset` follows."""
    current = ontology.terms[~ontology.terms["is_obsolete"]]
    aspect = current.set_index("term_id")["aspect"]
    relations = ontology.relations
    kept = relations["child_id"].isin(aspect.index) & relations["parent_id"].isin(aspect.index)
    if preset == "cafa":
        same_aspect = relations["child_id"].map(aspect) == relations["parent_id"].map(aspect)
        kept &= relations["relation"].isin(ACYCLIC_RELATIONS) & same_aspect
    return relations[kept]


def relations_not_found(ontology: Ontology, preset: Preset) -> list[str]:
    """Return a warning if an ontology has relations, and not those that the preset follows."""
    counts = ontology.relations["relation"].value_counts()
    missing = [name for name in ACYCLIC_RELATIONS if name not in counts.index]
    others = [f"{name} ({n})" for name, n in counts.items() if name not in ACYCLIC_RELATIONS]
    if preset != "cafa" or not missing or not others:
        return []
    return [
        f"preset 'cafa' follows {' and '.join(ACYCLIC_RELATIONS)}; the ontology has no "
        f"{' and no '.join(missing)}, but {', '.join(others[:_SHOWN])}. Annotations do not propagate along "
        "the latter; with annotation.preset=deepgo they do"
    ]


def ancestor_closure(ontology: Ontology, preset: Preset = "cafa") -> AncestorClosure:
    """Return the ancestors of every current term under a preset.

    Raises:
        InputError: the relations of the preset form a cycle (`deepgo` on ontologies with `has_part`).
    """
    from scipy.sparse import csr_array

    relations = preset_relations(ontology, preset)
    ids = np.sort(ontology.terms.loc[~ontology.terms["is_obsolete"], "term_id"].to_numpy(dtype=object))
    child = np.searchsorted(ids, relations["child_id"].to_numpy(dtype=object))
    parent = np.searchsorted(ids, relations["parent_id"].to_numpy(dtype=object))
    depth = depths(len(ids), child, parent)
    if (depth < 0).any():
        ends = zip(relations["child_id"], relations["parent_id"], strict=True)
        raise InputError(
            f"preset '{preset}' follows relations that form a cycle: {' -> '.join(cycle_of(ends))}; "
            "use the basic (acyclic) release of the ontology, or preset 'cafa'"
        )
    order = np.argsort(depth, kind="stable")  # ids are sorted, so ties are by id
    position = np.argsort(order)
    edges = (np.ones(len(child), dtype=bool), (position[child], position[parent]))
    shape = (len(ids), len(ids))
    parents = csr_array(edges, shape=shape, dtype=bool)
    ancestors = _closed(parents)
    for matrix in (parents, ancestors):
        matrix.sum_duplicates()
        matrix.sort_indices()
    return AncestorClosure(term_ids=ids[order], parents=parents, ancestors=ancestors)


def reachable(ontology: Ontology, preset: Preset, term_ids: Sequence[str]) -> NDArray[np.bool_]:
    """Return which of some terms lie above which, also where relations form a cycle (as DeepGO reads them).

    Returns:
        [n, n]: column is the row's term itself or above it. A term that is not current is above itself only.
    """
    from scipy.sparse import csr_array

    relations = preset_relations(ontology, preset)
    asked = pd.Index(np.asarray(term_ids, dtype=object))
    n_known, ids = 0, asked.unique()
    while len(ids) > n_known:  # what lies above these terms only, a small part of the ontology
        n_known = len(ids)
        above_these = relations.loc[relations["child_id"].isin(ids), "parent_id"]
        ids = ids.append(pd.Index(above_these.to_numpy(dtype=object))).unique()
    relations = relations[relations["child_id"].isin(ids)]
    edges = tuple(ids.get_indexer(pd.Index(relations[end])) for end in ("child_id", "parent_id"))
    shape = (len(ids), len(ids))
    parents = csr_array((np.ones(len(relations), dtype=bool), edges), shape=shape, dtype=bool)
    rows = ids.get_indexer(asked)
    ancestors = _closed(parents)
    above: NDArray[np.bool_] = ancestors[rows][:, rows].toarray()
    return above


def _closed(parents: Any) -> Any:
    """Return the reflexive and transitive closure of a relation, `scipy.sparse.csr_array` of bool."""
    from scipy.sparse import csr_array, eye_array

    ancestors = csr_array(eye_array(parents.shape[0], dtype=bool, format="csr") + parents)
    n_entries = 0
    while ancestors.nnz > n_entries:  # squaring doubles the length of the paths covered
        n_entries = ancestors.nnz
        ancestors = ancestors @ ancestors
    return ancestors
