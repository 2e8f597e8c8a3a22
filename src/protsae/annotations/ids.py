"""Resolution of the term ids that annotations name: current, alternative, replaced, obsolete or unknown."""

import math
from typing import Literal

import pandas as pd

from protsae.core.errors import InputError
from protsae.ontology.obo import Ontology, split_ids

ID_COLUMNS = ("term_id", "status", "resolved_id", "n_rows")

Status = Literal["current", "alternative", "replaced", "obsolete", "unknown"]
STATUSES: tuple[Status, ...] = ("current", "alternative", "replaced", "obsolete", "unknown")
GONE: tuple[Status, ...] = ("obsolete", "unknown")
_SHOWN = 3


def resolve_ids(term_ids: pd.Series, ontology: Ontology) -> pd.DataFrame:
    """Resolve every distinct id to a current term, through alternative ids and chains of `replaced_by`.

    Statuses: `current`; `alternative` (an `alt_id` of a current term); `replaced` (obsolete, and exactly one
    current term is named in its place); `obsolete` (none is, or several, or the chain is a cycle);
    `unknown`.

    Returns:
        `term_id`, `status`, `resolved_id` (empty where there is none), `n_rows`; sorted by `term_id`.
    """
    terms = ontology.terms
    current = set(terms.loc[~terms["is_obsolete"], "term_id"])
    gone = terms[terms["is_obsolete"]]
    replacements = dict(zip(gone["term_id"], gone["replaced_by"].map(split_ids), strict=True))
    named = zip(terms["term_id"], terms["alt_ids"], strict=True)
    alternatives = {other: term_id for term_id, alt_ids in named for other in split_ids(alt_ids)}
    counts = term_ids.value_counts().sort_index()
    resolved = [_resolve(term_id, current, alternatives, replacements) for term_id in counts.index]
    return pd.DataFrame(
        {
            "term_id": pd.array(counts.index.to_list(), dtype="str"),
            "status": pd.array([status for status, _ in resolved], dtype="str"),
            "resolved_id": pd.array([target for _, target in resolved], dtype="str"),
            "n_rows": counts.to_numpy("int64"),
        }
    )


def _resolve(
    term_id: str, current: set[str], alternatives: dict[str, str], replacements: dict[str, list[str]]
) -> tuple[Status, str]:
    status: Status = "current"
    target, seen = term_id, set[str]()
    while target not in current:
        named = [alternatives[target]] if target in alternatives else replacements.get(target)
        if named is None:
            return ("unknown" if target == term_id else "obsolete"), ""
        if len(named) != 1 or target in seen:
            return "obsolete", ""
        status = "replaced" if target in replacements or status == "replaced" else "alternative"
        seen.add(target)
        target = named[0]
    return status, target


def check_share_gone(annotation_ids: pd.DataFrame, ontology: Ontology, max_unknown_share: float) -> None:
    """Refuse annotations too many of whose rows name ids that are unknown or obsolete.

    Raises:
        InputError: with the likely cause and the parameter that accepts it.
    """
    rows = annotation_ids.groupby("status")["n_rows"].sum().reindex(list(STATUSES), fill_value=0)
    total, lost = int(rows.sum()), int(rows[list(GONE)].sum())
    if lost <= max_unknown_share * total:
        return
    gone = annotation_ids[annotation_ids["status"].isin(GONE)]
    examples = gone.sort_values(["n_rows", "term_id"], ascending=[False, True]).head(_SHOWN)["term_id"]
    release = f" ({ontology.data_version})" if ontology.data_version else ""
    cause = (
        f"the ontology{release} is older than the annotations, cut down, or another ontology"
        if rows["unknown"] > rows["obsolete"]
        else f"the ontology{release} is newer than the annotations"
    )
    accepted = math.ceil(1000 * lost / total) / 1000
    raise InputError(
        f"{lost} of {total} annotation rows ({lost / total:.1%}) name ids that are unknown "
        f"({rows['unknown']}) or obsolete ({rows['obsolete']}), such as {', '.join(examples)}. Likely "
        f"{cause}. Give the release that the annotations were made with, or accept it: "
        f"annotation.join.max_unknown_share={accepted}"
    )
