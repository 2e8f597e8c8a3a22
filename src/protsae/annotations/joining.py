"""Annotations joined to proteins and propagated to the ancestors of their terms."""

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from protsae.annotations.ids import GONE, ID_COLUMNS, STATUSES, check_share_gone, resolve_ids
from protsae.annotations.owners import ACCESSION_COLUMNS, Isoforms, owners_of_rows, resolve_accessions
from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.ontology.closure import AncestorClosure, Preset, ancestor_closure, relations_not_found
from protsae.ontology.obo import Ontology

PROTEIN_CONCEPT_COLUMNS = ("protein_id", "concept_id", "is_direct")
_LOGGER = logging.getLogger(__name__)
_SHOWN = 3
_LISTED = 20
_WARN_BELOW = 0.5

IntArray = NDArray[np.int64]


class JoinConfig(Config):
    """How annotations meet the ontology and the proteins."""

    max_unknown_share: float = Field(default=0.05, ge=0, le=1)
    """Largest share of annotation rows that may name unknown or obsolete ids; above it the run stops."""
    min_annotated_share: float = Field(default=0.0, ge=0, le=1)
    """Smallest share of proteins that must have an annotation; below it the run stops. 0: never."""


@dataclass(frozen=True)
class JoinedAnnotations:
    """What a join gives.

    Attributes:
        protein_concepts: `protein_id`, `concept_id`, `is_direct`; propagated, without roots; sorted.
        annotation_ids: one row per distinct term id of the file, see `annotations.ids.resolve_ids`.
        annotation_accessions: one row per distinct protein or isoform that the file names, see
            `annotations.owners.resolve_accessions`.
        report: counts. `n_rows` is the sum of the rows per status. `n_rows` and `n_rows_inherited` together
            are the sum of `n_rows_gone`, `n_rows_of_other_proteins`, `n_rows_not`, `n_rows_of_roots`,
            `n_rows_repeated`, `n_pairs_contradicted` and `n_pairs_direct`.
    """

    protein_concepts: pd.DataFrame
    annotation_ids: pd.DataFrame
    annotation_accessions: pd.DataFrame
    report: dict[str, Any]


def join_annotations(
    annotations: pd.DataFrame,
    sequences: pd.DataFrame,
    ontology: Ontology,
    preset: Preset,
    config: JoinConfig,
    isoforms: Isoforms = "canonical",
) -> JoinedAnnotations:
    """Resolve ids, keep the proteins at hand, drop roots and what NOT rows contradict, propagate.

    A row is lost to the first of these that applies: its id is gone, its protein is not in `sequences` (nor
    an alias there), it is a NOT row, its term is a root, its pair came before, a NOT row of its protein names
    its term or a term above it. So no term that a protein has with NOT is asserted by propagation.

    Args:
        annotations: `accession`, `term_id`, `is_not`, `isoform_id`, see `annotations.rows`.
        sequences: `protein_id`, `aliases` (ids joined by `;`).
        ontology: terms and relations, of GO or any other ontology.
        preset: relations that annotations propagate along.
        config: settings.
        isoforms: whether isoforms without rows of their own take those of the canonical protein.

    Raises:
        InputError: too many ids gone, no accession in `sequences`, too few proteins annotated, nothing left.
    """
    annotation_ids = resolve_ids(annotations["term_id"], ontology)
    check_share_gone(annotation_ids, ontology, config.max_unknown_share)
    protein_ids = pd.Index(sequences["protein_id"].sort_values(), dtype="str")
    accessions = resolve_accessions(annotations, sequences, isoforms)
    row, protein = owners_of_rows(annotations, accessions, protein_ids)
    if (protein < 0).all():
        raise InputError(
            f"none of the {len(annotations)} annotation rows belongs to a protein at hand: accessions are "
            f"such as {', '.join(annotations['accession'].unique()[:_SHOWN])}; proteins are such as "
            f"{', '.join(protein_ids[:_SHOWN])}. Give annotations of these proteins, under the same ids"
        )
    closure = ancestor_closure(ontology, preset)
    resolved = annotation_ids.set_index("term_id")["resolved_id"]
    term_of_id = pd.Series(closure.index(resolved), index=resolved.index)
    term = annotations["term_id"].map(term_of_id).to_numpy(np.int64)[row]

    is_gone = term < 0
    is_other = ~is_gone & (protein < 0)
    is_not = ~is_gone & ~is_other & annotations["is_not"].to_numpy()[row]
    is_root = ~is_gone & ~is_other & ~is_not & closure.is_root()[term]
    kept = ~(is_gone | is_other | is_not | is_root)
    shape = (len(protein_ids), len(closure.term_ids))
    stated = _pairs(protein[kept], term[kept], shape)
    direct = _without_contradicted(stated, _pairs(protein[is_not], term[is_not], shape), closure)
    protein_concepts, named, term_ids = _propagated(direct, protein_ids, closure)
    report = {
        "preset": preset,
        "n_rows": len(annotations),
        "n_rows_inherited": len(row) - len(annotations),
        **{
            f"n_rows_{status}": int(annotation_ids.loc[annotation_ids["status"] == status, "n_rows"].sum())
            for status in STATUSES
        },
        "n_rows_gone": int(is_gone.sum()),
        "n_rows_of_other_proteins": int(is_other.sum()),
        "n_rows_not": int(is_not.sum()),
        "n_rows_of_roots": int(is_root.sum()),
        "n_rows_repeated": int(kept.sum()) - stated.nnz,
        "n_pairs_contradicted": stated.nnz - direct.nnz,
        "n_pairs_direct": direct.nnz,
        "n_pairs_propagated": len(protein_concepts),
        "ids_gone": _listed(annotation_ids.loc[annotation_ids["status"].isin(GONE), "term_id"]),
        "n_rows_per_accession_status": accessions.groupby("status")["n_rows"].sum().to_dict(),
        "accessions_of_other_proteins": _listed(accessions.loc[accessions["status"] == "other", "accession"]),
        **_coverage(named, term_ids, ontology),
    }
    if protein_concepts.empty:
        counts = ", ".join(f"{key} {value}" for key, value in report.items() if key.startswith("n_rows"))
        raise InputError(f"no annotation is left after the join: {counts}")
    report["warnings"] = [
        *check_share_annotated(report, config.min_annotated_share),
        *relations_not_found(ontology, preset),
    ]
    for warning in report["warnings"]:
        _LOGGER.warning("%s", warning)
    return JoinedAnnotations(protein_concepts, annotation_ids, accessions, report)


def no_annotations(sequences: pd.DataFrame) -> JoinedAnnotations:
    """Return what a join gives where no annotations of an ontology are given."""

    def empty(columns: tuple[str, ...], **types: str) -> pd.DataFrame:
        kinds = {**dict.fromkeys(columns, "str"), **types}
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})

    n_proteins = len(sequences)
    report = {
        "n_rows": 0,
        "n_proteins": n_proteins,
        "n_proteins_annotated": 0,
        "n_proteins_without_annotation": n_proteins,
    }
    return JoinedAnnotations(
        empty(PROTEIN_CONCEPT_COLUMNS, is_direct="bool"),
        empty(ID_COLUMNS, n_rows="int64"),
        empty(ACCESSION_COLUMNS, n_rows="int64"),
        report,
    )


def check_share_annotated(report: dict[str, Any], min_annotated_share: float) -> list[str]:
    """Return a warning if less than half of the proteins have an annotation.

    Raises:
        InputError: the share is below `min_annotated_share`, with the likely cause and the parameter.
    """
    n, total = report["n_proteins_annotated"], report["n_proteins"]
    share = n / total
    lost = {
        "the annotations are of other proteins": report["n_rows_of_other_proteins"],
        "their term ids are unknown or obsolete": report["n_rows_gone"],
    }
    cause = max(lost, key=lambda reason: lost[reason])
    if lost[cause] <= report["n_rows"] / 2:
        cause = "the file annotates few of them, or the evidence filter leaves few"
    message = f"{n} of {total} proteins ({share:.1%}) have an annotation. Likely {cause}"
    if share < min_annotated_share:
        accepted = math.floor(1000 * share) / 1000
        raise InputError(
            f"{message}. Give annotations of these proteins, or accept it: "
            f"annotation.join.min_annotated_share={accepted}"
        )
    return [message] if share < _WARN_BELOW else []


def _pairs(protein: IntArray, term: IntArray, shape: tuple[int, int]) -> Any:
    """Return distinct pairs as a boolean CSR matrix [n_proteins, n_terms]."""
    from scipy.sparse import coo_array

    matrix = coo_array((np.ones(len(protein), dtype=bool), (protein, term)), shape=shape).tocsr()
    matrix.sum_duplicates()
    return matrix


def _without_contradicted(stated: Any, negated: Any, closure: AncestorClosure) -> Any:
    """Return the stated pairs whose term is neither a negated one of the protein nor below one."""
    below = (negated @ closure.ancestors.T.tocsr()).astype(bool)
    direct = (stated > stated.multiply(below)).tocsr()  # true where stated and not below
    direct.sort_indices()
    return direct


def _propagated(
    direct: Any, protein_ids: pd.Index, closure: AncestorClosure
) -> tuple[pd.DataFrame, Any, NDArray[Any]]:
    """Return the table of pairs with all ancestors but roots.

    Returns:
        the table; the same pairs as a CSR matrix [n_proteins, n_terms]; the ids of its columns [n_terms].
    """
    # Every direct pair is among the propagated ones, so that their sum is 2 there and 1 elsewhere.
    everything = (direct @ closure.ancestors).astype(np.int8) + direct.astype(np.int8)
    by_name = np.argsort(closure.term_ids)
    columns = by_name[~closure.is_root()[by_name]]
    named = everything.tocsc()[:, columns].tocsr()
    named.sort_indices()
    protein = np.repeat(np.arange(named.shape[0]), np.diff(named.indptr))
    table = pd.DataFrame(
        {
            "protein_id": protein_ids.array.take(protein),
            "concept_id": pd.array(closure.term_ids[columns], dtype="str").take(named.indices),
            "is_direct": named.data == 2,
        }
    )
    return table, named, closure.term_ids[columns]


def _coverage(named: Any, term_ids: NDArray[Any], ontology: Ontology) -> dict[str, Any]:
    """Count the proteins with an annotation, in all and per aspect."""
    aspect = pd.Series(term_ids).map(ontology.terms.set_index("term_id")["aspect"]).to_numpy()
    used = np.unique(aspect[np.unique(named.indices)].astype(str))
    columns = named.tocsc()
    per_aspect = {name: int((np.diff(columns[:, aspect == name].tocsr().indptr) > 0).sum()) for name in used}
    n_proteins, n_annotated = named.shape[0], int((np.diff(named.indptr) > 0).sum())
    return {
        "n_proteins": n_proteins,
        "n_proteins_annotated": n_annotated,
        "n_proteins_without_annotation": n_proteins - n_annotated,
        "n_proteins_annotated_per_aspect": {str(name): n for name, n in per_aspect.items()},
    }


def _listed(ids: pd.Series) -> dict[str, Any]:
    """Count distinct ids and show the first ones in sorted order."""
    distinct = sorted(ids.unique())
    return {"n": len(distinct), "first": distinct[:_LISTED]}
