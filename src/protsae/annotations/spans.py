"""Residue-level annotations as spans: which stretch of which protein has a concept."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SPAN_COLUMNS = ("protein_id", "concept_id", "instance", "start", "end")
"""`start` is 0-based, `end` is exclusive. Spans of one `instance` belong together: a disulfide
bond is two spans of one residue, a domain is one span."""

IntArray = NDArray[np.int64]


def span_table(rows: pd.DataFrame | Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Return spans in the columns and types of `SPAN_COLUMNS`, sorted, without repeated ones.

    Args:
        rows: a table with these columns, or rows in their order.
    """
    columns = list(SPAN_COLUMNS)
    table = rows[columns] if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows), columns=columns)
    table = table.astype(
        {"protein_id": "str", "concept_id": "str", "instance": "int32", "start": "int32", "end": "int32"}
    )
    keys = sorted_codes(table)
    order = np.lexsort((keys["instance"], keys["end"], keys["start"], keys["concept_id"], keys["protein_id"]))
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any([codes[order][1:] != codes[order][:-1] for codes in keys.values()], axis=0)
    return table.iloc[order[new]].reset_index(drop=True)


def number_instances(spans: pd.DataFrame) -> pd.DataFrame:
    """Return the spans with the instances of every protein and concept numbered from 0, by where they start.

    Args:
        spans: `SPAN_COLUMNS`; an instance is told from others of its protein and concept by any number.
    """
    keys = sorted_codes(spans)
    protein, concept, instance, start = (keys[k] for k in ("protein_id", "concept_id", "instance", "start"))
    order = np.lexsort((start, instance, concept, protein))
    group, whose = np.stack([protein, concept])[:, order], instance[order]
    opens_pair = np.ones(len(order), dtype=bool)
    opens_pair[1:] = (group[:, 1:] != group[:, :-1]).any(axis=0)
    opens = opens_pair.copy()
    opens[1:] |= whose[1:] != whose[:-1]
    first = np.flatnonzero(opens)  # the row of each instance that starts first
    pair = np.cumsum(opens_pair)[first]
    by_start = np.lexsort((whose[first], start[order][first], pair))
    rank = np.empty(len(first), dtype=np.int64)
    pairs_by_start = pair[by_start]
    rank[by_start] = np.arange(len(first)) - np.searchsorted(pairs_by_start, pairs_by_start)
    numbered = np.empty(len(order), dtype=np.int64)
    numbered[order] = rank[np.cumsum(opens) - 1]
    return span_table(spans.assign(instance=numbered))


def sorted_codes(spans: pd.DataFrame) -> dict[str, IntArray]:
    """Return the columns of spans as integers that sort as the columns do."""
    texts = {name: pd.factorize(spans[name], sort=True)[0] for name in ("protein_id", "concept_id")}
    return {**texts, **{name: spans[name].to_numpy(np.int64) for name in ("instance", "start", "end")}}


def residue_counts(spans: pd.DataFrame) -> pd.DataFrame:
    """Return how many residues of each protein carry each concept: `protein_id`, `concept_id`, `n_residues`.

    Residues under several spans count once.
    """
    ordered = spans.sort_values(["protein_id", "concept_id", "start", "end"])
    groups = [ordered["protein_id"], ordered["concept_id"]]
    reached = ordered.groupby(["protein_id", "concept_id"], sort=False)["end"].cummax()
    before = reached.groupby(groups, sort=False).shift(fill_value=0)
    new = (ordered["end"] - np.maximum(ordered["start"], before)).clip(lower=0)
    return new.groupby(groups, sort=True).sum().rename("n_residues").reset_index()


def span_rows(start: IntArray, end: IntArray) -> tuple[IntArray, IntArray]:
    """Return every position of every span [start, end), and which span each is from; both [n_positions]."""
    lengths = end - start
    which = np.repeat(np.arange(len(start)), lengths)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return start[which] + offset, which
