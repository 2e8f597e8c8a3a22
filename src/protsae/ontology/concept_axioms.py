"""The part of an ontology's axioms that speaks of the chosen concepts, with indices for training."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.config import Config

CONCEPT_AXIOM_COLUMNS = ("normal_form", "c", "relation", "relation_name", "d", "e", "c_id", "d_id", "e_id")
ABSENT = -1


class AxiomConfig(Config):
    """Which axioms tie the concepts together."""

    zero_concepts: Literal["ancestors", "none"] = "ancestors"
    """`ancestors`: every axiom whose left side is reachable from the concepts, over every relation and up to
    the roots; classes that are no concepts themselves get indices from `len(concepts)` on (zero classes).
    `none`: only axioms all of whose classes are concepts."""


def axiom_table(concepts: pd.DataFrame, axioms: pd.DataFrame, config: AxiomConfig) -> pd.DataFrame:
    """Return the axioms over the concepts.

    With `zero_concepts: ancestors` an axiom is in when all of its left side is reachable: the classes there,
    and for ``∃R.C`` the relation R too. Concepts are reachable; so are the classes and relations on the right
    side of an axiom that is in. What the whole ontology says of the superclasses of concepts, the part does
    (Suntisrivaraporn 2008, reachability-based modules).

    Args:
        concepts: `concept_idx`, `concept_id`.
        axioms: see `normal_forms.ontology_axioms`.
        config: settings.

    Returns:
        `normal_form`; `c`, `d`, `e` (int32; below `len(concepts)` the `concept_idx`, zero concepts above in
        the order of their ids, -1 where the form has none); `relation` (int32; -1 where there is none, else
        the position of `relation_name` among the sorted names); `c_id`, `d_id`, `e_id` (empty where there is
        none). Sorted by form, c, relation, d, e.
    """
    ids = concepts["concept_id"]
    if config.zero_concepts == "none":
        classes = axioms[["c_id", "d_id", "e_id"]]
        inside = classes.isin({*ids, ""}).to_numpy().all(axis=1)
    else:
        inside = reachable(axioms, ids)
    return _indexed(axioms.iloc[np.flatnonzero(inside)], concepts)


def reachable(axioms: pd.DataFrame, start: Iterable[str]) -> NDArray[np.bool_]:
    """Return which axioms have a left side reachable from `start`, bool [n_axioms]; see `axiom_table`."""
    n = len(axioms)
    named = [*axioms["c_id"], *axioms["d_id"], *axioms["e_id"], *start]
    codes, _ = pd.factorize(np.array(named, dtype=object))
    c, d, e = codes[: 3 * n].reshape(3, n)
    relation, relation_names = pd.factorize(axioms["relation_name"])
    form = axioms["normal_form"].to_numpy()
    is_pair = np.isin(form, ("NF2", "DISJOINT"))
    class_seen = np.zeros(codes.max(initial=-1) + 1, dtype=bool)
    class_seen[codes[3 * n :]] = True
    relation_seen = np.zeros(len(relation_names), dtype=bool)
    inside = np.zeros(n, dtype=bool)
    while True:
        further = class_seen[c] & (class_seen[d] | ~is_pair) & (relation_seen[relation] | (form != "NF3"))
        if (further == inside).all():
            return inside
        inside = further
        class_seen[np.where(form == "NF2", e, d)[inside & (form != "DISJOINT")]] = True
        relation_seen[relation[inside & (form == "NF4")]] = True


def _indexed(held: pd.DataFrame, concepts: pd.DataFrame) -> pd.DataFrame:
    """Give the classes and relations of the axioms their indices."""
    index_of = dict(zip(concepts["concept_id"], concepts["concept_idx"], strict=True))
    named = set(held["c_id"]).union(held["d_id"], held["e_id"]) - {""}
    index_of |= {name: len(concepts) + i for i, name in enumerate(sorted(named.difference(index_of)))}
    relations = sorted(set(held["relation_name"]) - {""})
    relation_of = {"": ABSENT, **{name: i for i, name in enumerate(relations)}}
    index_of[""] = ABSENT
    table = held.assign(
        relation=held["relation_name"].map(relation_of),
        **{name: held[f"{name}_id"].map(index_of) for name in ("c", "d", "e")},
    ).astype(dict.fromkeys(("c", "relation", "d", "e"), "int32"))
    order = ["normal_form", "c", "relation", "d", "e"]
    return table.sort_values(order, ignore_index=True)[list(CONCEPT_AXIOM_COLUMNS)]
