"""Annotation tables, and what becomes of the ontology ids in them."""

import math
from pathlib import Path
from typing import Literal

import pandas as pd

from protsae.core.errors import InputError
from protsae.core.text import numbered_lines
from protsae.ontology.obo import Ontology, split_ids

COLUMNS = ("accession", "go_id")
ID_COLUMNS = ("go_id", "status", "resolved_id", "n_rows")

Status = Literal["current", "alternative", "replaced", "obsolete", "unknown"]
STATUSES: tuple[Status, ...] = ("current", "alternative", "replaced", "obsolete", "unknown")
GONE: tuple[Status, ...] = ("obsolete", "unknown")
_SHOWN = 3


def read_annotations(path: Path) -> pd.DataFrame:
    """Read tab-separated values, plain or gzip, whose header names the columns `accession` and `go_id`.

    Other columns are allowed and left. Blank lines are skipped.

    Returns:
        `accession`, `go_id`: one row per line, in the file's order.

    Raises:
        InputError: no such header, no rows, a line with another number of fields, an empty cell.
    """
    lines = [line for _, line in numbered_lines(path, "annotations")]
    numbers = [number for number, line in enumerate(lines, start=1) if line and not line.isspace()]
    header = [name.strip() for name in lines[numbers[0] - 1].split("\t")]
    missing = [name for name in COLUMNS if header.count(name) != 1]
    if missing:
        raise InputError(
            f"{path}:{numbers[0]}: the header must name {' and '.join(COLUMNS)} once each, tab-separated; "
            f"found {lines[numbers[0] - 1][:80]!r}"
        )
    rows = [lines[number - 1].split("\t") for number in numbers[1:]]
    if not rows:
        raise InputError(f"{path}: a header and no annotations below it")
    for number, row in zip(numbers[1:], rows, strict=True):
        if len(row) != len(header):
            raise InputError(
                f"{path}:{number}: {len(row)} tab-separated fields where the header has {len(header)}: "
                f"{lines[number - 1][:80]!r}"
            )
    columns = {}
    for name in COLUMNS:
        position = header.index(name)
        columns[name] = [row[position].strip() for row in rows]
        if "" in columns[name]:
            raise InputError(f"{path}:{numbers[1 + columns[name].index('')]}: no {name} in this row")
    return pd.DataFrame(columns, dtype="str")


def resolve_ids(go_ids: pd.Series, ontology: Ontology) -> pd.DataFrame:
    """Resolve every distinct id to a current term, through alternative ids and chains of `replaced_by`.

    Statuses: `current`; `alternative` (an `alt_id` of a current term); `replaced` (obsolete, and exactly one
    current term is named in its place); `obsolete` (none is, or several, or the chain comes back to itself);
    `unknown`.

    Returns:
        `go_id`, `status`, `resolved_id` (empty where there is none), `n_rows`; sorted by `go_id`.
    """
    terms = ontology.terms
    current = set(terms.loc[~terms["is_obsolete"], "term_id"])
    gone = terms[terms["is_obsolete"]]
    replacements = dict(zip(gone["term_id"], gone["replaced_by"].map(split_ids), strict=True))
    named = zip(terms["term_id"], terms["alt_ids"], strict=True)
    alternatives = {other: term_id for term_id, alt_ids in named for other in split_ids(alt_ids)}
    counts = go_ids.value_counts().sort_index()
    resolved = [_resolve(go_id, current, alternatives, replacements) for go_id in counts.index]
    return pd.DataFrame(
        {
            "go_id": pd.array(counts.index.to_list(), dtype="str"),
            "status": pd.array([status for status, _ in resolved], dtype="str"),
            "resolved_id": pd.array([target for _, target in resolved], dtype="str"),
            "n_rows": counts.to_numpy("int64"),
        }
    )


def _resolve(
    go_id: str, current: set[str], alternatives: dict[str, str], replacements: dict[str, list[str]]
) -> tuple[Status, str]:
    status: Status = "current"
    target, seen = go_id, set[str]()
    while target not in current:
        named = [alternatives[target]] if target in alternatives else replacements.get(target)
        if named is None:
            return ("unknown" if target == go_id else "obsolete"), ""
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
    examples = gone.sort_values(["n_rows", "go_id"], ascending=[False, True]).head(_SHOWN)["go_id"]
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
