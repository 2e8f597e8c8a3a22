"""Annotations joined to proteins and propagated to the ancestors of their terms."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from protsae.annotations.ids import GONE, STATUSES, check_share_gone, resolve_ids
from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.ontology.closure import AncestorClosure, Preset, ancestor_closure
from protsae.ontology.obo import Ontology, split_ids

PROTEIN_CONCEPT_COLUMNS = ("protein_id", "concept_id", "is_direct")
_SHOWN = 3
_LISTED = 20

IntArray = NDArray[np.int64]


class JoinConfig(Config):
    """How annotations meet the ontology."""

    max_unknown_share: float = Field(default=0.05, ge=0, le=1)
    """Largest share of annotation rows that may name unknown or obsolete ids; above it the run stops."""


@dataclass(frozen=True)
class JoinedAnnotations:
    """What a join gives.

    Attributes:
        protein_concepts: `protein_id`, `concept_id`, `is_direct`; propagated, without roots; sorted.
        annotation_ids: one row per distinct id of the file, see `annotations.resolve_ids`.
        report: counts. `n_rows` is the sum of the rows per status; it is also the sum of `n_rows_gone`,
            `n_rows_of_other_proteins`, `n_rows_of_roots`, `n_rows_repeated` and `n_pairs_direct`.
    """

    protein_concepts: pd.DataFrame
    annotation_ids: pd.DataFrame
    report: dict[str, Any]


def join_annotations(
    annotations: pd.DataFrame, sequences: pd.DataFrame, ontology: Ontology, preset: Preset, config: JoinConfig
) -> JoinedAnnotations:
    """Resolve ids, keep the proteins at hand, drop roots, propagate.

    A row is lost to the first of these that applies: its id is gone, its protein is not in `sequences` (nor
    an alias there), its term is a root, its pair came before.

    Args:
        annotations: `accession`, `term_id`.
        sequences: `protein_id`, `aliases` (ids joined by `;`).
        ontology: terms and relations.
        preset: relations that annotations propagate along.
        config: settings.

    Raises:
        InputError: too many ids gone, no accession in `sequences`, or nothing left.
    """
    annotation_ids = resolve_ids(annotations["term_id"], ontology)
    check_share_gone(annotation_ids, ontology, config.max_unknown_share)
    protein_ids = pd.Index(sequences["protein_id"].sort_values(), dtype="str")
    protein = _protein_of_accession(annotations["accession"], sequences, protein_ids)
    if (protein < 0).all():
        raise InputError(
            f"none of the {len(protein)} annotation rows belongs to a protein of the FASTA: accessions are "
            f"such as {', '.join(annotations['accession'].unique()[:_SHOWN])}; proteins are such as "
            f"{', '.join(protein_ids[:_SHOWN])}. Give annotations of these proteins, under the same ids"
        )
    closure = ancestor_closure(ontology, preset)
    resolved = annotation_ids.set_index("term_id")["resolved_id"]
    term_of_id = pd.Series(closure.index(resolved), index=resolved.index)
    term = annotations["term_id"].map(term_of_id).to_numpy(np.int64)

    is_gone = term < 0
    is_other = ~is_gone & (protein < 0)
    is_root = ~is_gone & ~is_other & closure.is_root()[term]
    kept = ~(is_gone | is_other | is_root)
    direct = _pairs(protein[kept], term[kept], (len(protein_ids), len(closure.term_ids)))
    protein_concepts = _propagated(direct, protein_ids, closure)
    report = {
        "preset": preset,
        "n_rows": len(annotations),
        **{
            f"n_rows_{status}": int(annotation_ids.loc[annotation_ids["status"] == status, "n_rows"].sum())
            for status in STATUSES
        },
        "n_rows_gone": int(is_gone.sum()),
        "n_rows_of_other_proteins": int(is_other.sum()),
        "n_rows_of_roots": int(is_root.sum()),
        "n_rows_repeated": int(kept.sum()) - direct.nnz,
        "n_pairs_direct": direct.nnz,
        "n_pairs_propagated": len(protein_concepts),
        "ids_gone": _listed(annotation_ids.loc[annotation_ids["status"].isin(GONE), "term_id"]),
        "accessions_of_other_proteins": _listed(annotations.loc[protein < 0, "accession"]),
        **_coverage(protein_concepts, ontology, len(protein_ids)),
    }
    if protein_concepts.empty:
        counts = ", ".join(f"{key} {value}" for key, value in report.items() if key.startswith("n_rows"))
        raise InputError(f"no annotation is left after the join: {counts}")
    return JoinedAnnotations(protein_concepts, annotation_ids, report)


def _protein_of_accession(accessions: pd.Series, sequences: pd.DataFrame, protein_ids: pd.Index) -> IntArray:
    """Return the position in `protein_ids` that each accession names, itself or as alias; -1: none."""
    aliases = sequences.loc[sequences["aliases"] != "", ["protein_id", "aliases"]]
    aliases = aliases.assign(alias=aliases["aliases"].map(split_ids)).explode("alias")
    names = pd.concat([pd.Series(protein_ids), aliases["alias"].astype("str")])
    owners = pd.concat([pd.Series(protein_ids), aliases["protein_id"]])
    first = ~names.duplicated().to_numpy()  # an id of its own goes before an alias
    codes = pd.Index(names[first]).get_indexer(accessions)
    owner = protein_ids.get_indexer(owners[first])
    return np.where(codes < 0, -1, owner[codes]).astype(np.int64)


def _pairs(protein: IntArray, term: IntArray, shape: tuple[int, int]) -> Any:
    """Return distinct pairs as a boolean CSR matrix [n_proteins, n_terms]."""
    from scipy.sparse import coo_array

    matrix = coo_array((np.ones(len(protein), dtype=bool), (protein, term)), shape=shape).tocsr()
    matrix.sum_duplicates()
    return matrix


def _propagated(direct: Any, protein_ids: pd.Index, closure: AncestorClosure) -> pd.DataFrame:
    """Return the table of pairs with all ancestors but roots."""
    everything = (direct @ closure.ancestors).tocoo()
    below = ~closure.is_root()[everything.col]
    protein, term = everything.row[below].astype(np.int64), everything.col[below].astype(np.int64)
    by_name = np.argsort(closure.term_ids)
    rank = np.argsort(by_name)
    order = np.lexsort((rank[term], protein))
    protein, term = protein[order], term[order]
    width = len(closure.term_ids)
    row_starts = np.repeat(np.arange(direct.shape[0]), np.diff(direct.indptr))
    is_direct = np.isin(protein * width + term, row_starts * width + direct.indices)
    return pd.DataFrame(
        {
            "protein_id": protein_ids.array.take(protein),
            "concept_id": pd.array(closure.term_ids, dtype="str").take(term),
            "is_direct": is_direct,
        }
    )


def _coverage(protein_concepts: pd.DataFrame, ontology: Ontology, n_proteins: int) -> dict[str, Any]:
    """Count the proteins with an annotation, in all and per aspect."""
    aspect = protein_concepts["concept_id"].map(ontology.terms.set_index("term_id")["aspect"])
    per_aspect = protein_concepts.groupby(aspect)["protein_id"].nunique().sort_index()
    n_annotated = protein_concepts["protein_id"].nunique()
    return {
        "n_proteins": n_proteins,
        "n_proteins_annotated": n_annotated,
        "n_proteins_without_annotation": n_proteins - n_annotated,
        "n_proteins_annotated_per_aspect": {str(name): int(n) for name, n in per_aspect.items()},
    }


def _listed(ids: pd.Series) -> dict[str, Any]:
    """Count distinct ids and show the first ones in sorted order."""
    distinct = sorted(ids.unique())
    return {"n": len(distinct), "first": distinct[:_LISTED]}
