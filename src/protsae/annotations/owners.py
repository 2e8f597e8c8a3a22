"""Which protein an annotation row belongs to: by id, by alias, by isoform."""

import re
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.ontology.obo import split_ids
from protsae.sequences.table import protein_of_id

ACCESSION_COLUMNS = ("accession", "status", "protein_id", "n_rows")
STATUSES = ("protein", "alias", "isoform", "other")
Isoforms = Literal["canonical", "inherit"]

IntArray = NDArray[np.int64]
_ISOFORM = re.compile(r"(.+)-\d+")


def resolve_accessions(
    annotations: pd.DataFrame, sequences: pd.DataFrame, isoforms: Isoforms
) -> pd.DataFrame:
    """Find the proteins of every name that annotations use.

    A row's name is its isoform where it names one, else its accession. Statuses: `protein` (the id of a
    protein); `alias` (an id of a protein that was merged into another); `isoform` (an isoform that is not at
    hand, so that its rows go to the canonical protein; or, with `inherit`, a canonical accession that is not
    at hand, but isoforms of it are); `other` (no protein at hand).

    Args:
        annotations: `accession`, `isoform_id`.
        sequences: `protein_id`, `aliases` (ids joined by `;`).
        isoforms: with `inherit`, the rows of a canonical accession also go to its isoforms (`P12345-2` of
            `P12345`) that no row names.

    Returns:
        `accession` (the name), `status`, `protein_id` (several joined by `;`; empty for `other`), `n_rows`;
        sorted by `accession`.
    """
    owners = protein_of_id(sequences)
    named = annotations["isoform_id"].where(annotations["isoform_id"] != "", annotations["accession"])
    n_rows = {str(name): n for name, n in named.value_counts().items()}
    of_isoforms = annotations[annotations["isoform_id"] != ""]
    canonical = dict(zip(of_isoforms["isoform_id"], of_isoforms["accession"], strict=True))
    heirs = _heirs(owners, set(n_rows)) if isoforms == "inherit" else {}
    rows = []
    for name in sorted(n_rows):
        status, found = _resolve(name, owners, canonical)
        inherited = sorted(set(heirs.get(name, [])) - {found})
        if inherited and not found:
            status = "isoform"
        rows.append((name, status, ";".join([found, *inherited] if found else inherited), n_rows[name]))
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    types = ("str", "str", "str", "int64")
    return pd.DataFrame(
        {
            column: pd.Series(values, dtype=dtype)
            for column, values, dtype in zip(ACCESSION_COLUMNS, columns, types, strict=True)
        }
    )


def owners_of_rows(
    annotations: pd.DataFrame, annotation_accessions: pd.DataFrame, protein_ids: pd.Index
) -> tuple[IntArray, IntArray]:
    """Return pairs of a row of `annotations` and a protein that it belongs to, as positions.

    Every row comes at least once, in order; a row of no protein at hand has protein -1. A NOT row of an
    isoform that is not at hand has -1 too: what an isoform lacks, the canonical protein may have.

    Args:
        annotations: `accession`, `isoform_id`, `is_not`.
        annotation_accessions: what `resolve_accessions` gave for them.
        protein_ids: the proteins, distinct.

    Returns:
        positions of rows and of proteins, int64 [n_pairs].
    """
    named = annotations["isoform_id"].where(annotations["isoform_id"] != "", annotations["accession"])
    code = pd.Index(annotation_accessions["accession"]).get_indexer(pd.Index(named))
    owned = annotation_accessions["protein_id"].map(lambda joined: split_ids(joined) or [""])
    per_name = owned.map(len).to_numpy(np.int64)
    protein_of = protein_ids.get_indexer(pd.Index(owned.explode(), dtype="str"))
    first = np.concatenate([[0], np.cumsum(per_name)[:-1]])
    n = per_name[code]
    row = np.repeat(np.arange(len(code)), n)
    within = np.arange(len(row)) - np.repeat(np.cumsum(n) - n, n)
    protein = protein_of[np.repeat(first[code], n) + within]
    borrowed = (annotation_accessions["status"] == "isoform").to_numpy()[code]
    is_foreign = borrowed & annotations["is_not"].to_numpy() & (annotations["isoform_id"] != "").to_numpy()
    return row, np.where(is_foreign[row], -1, protein).astype(np.int64)


def _heirs(owners: dict[str, str], named: set[str]) -> dict[str, list[str]]:
    """Return the isoform proteins of every canonical accession that no annotation row names."""
    owned_by_named = {owners[name] for name in named if name in owners}
    heirs: dict[str, list[str]] = {}
    for name, protein_id in owners.items():
        match = _ISOFORM.fullmatch(name)
        if match and protein_id not in owned_by_named:
            heirs.setdefault(match[1], []).append(protein_id)
    return heirs


def _resolve(name: str, owners: dict[str, str], canonical: dict[str, str]) -> tuple[str, str]:
    """Return status and protein of a name; '' for none."""
    if name in owners:
        return ("protein" if owners[name] == name else "alias"), owners[name]
    fallback = owners.get(canonical.get(name, ""), "")
    return ("isoform", fallback) if fallback else ("other", "")
