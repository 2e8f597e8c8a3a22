"""Axioms of an ontology in EL normal form.

NF1 ``C sub D`` comes from `is_a`, NF4 ``C sub some R.D`` from every other relation. (Names as in DeepGO-SE;
the ELEmbeddings paper of 2019 swaps NF3 and NF4.)
"""

from typing import Literal

import numpy as np
import pandas as pd

from protsae.core.config import Config
from protsae.ontology.closure import preset_relations
from protsae.ontology.obo import Ontology

AXIOM_COLUMNS = ("normal_form", "c", "relation", "relation_name", "d", "c_id", "d_id")
NO_RELATION = -1


class AxiomConfig(Config):
    """Which axioms tie the concepts together."""

    zero_concepts: Literal["ancestors", "none"] = "ancestors"
    """`ancestors`: also the axioms between and towards the concepts' ancestors, over every relation and up to
    the roots; those that are no concepts themselves get indices from `len(concepts)` on (zero classes).
    `none`: only axioms that state something of two concepts directly."""


def axiom_table(concepts: pd.DataFrame, ontology: Ontology, config: AxiomConfig) -> pd.DataFrame:
    """Return the axioms over the concepts.

    Args:
        concepts: `concept_idx`, `concept_id`.
        ontology: terms and relations.
        config: settings.

    Returns:
        `normal_form` (NF1, NF4), `c` and `d` (int32; below `len(concepts)` the `concept_idx`, zero concepts
        above in the order of their ids), `relation` (int32; -1 for NF1, else the position of `relation_name`
        among the sorted names), `c_id`, `d_id`. Sorted by form, c, relation, d.
    """
    relations = preset_relations(ontology, "deepgo")
    classes = set(concepts["concept_id"])
    if config.zero_concepts == "ancestors":
        classes = _upwards(relations, classes)
    held = relations[relations["child_id"].isin(classes) & relations["parent_id"].isin(classes)]
    zero = sorted(set(held["child_id"]).union(held["parent_id"]).difference(concepts["concept_id"]))
    index_of = dict(zip(concepts["concept_id"], concepts["concept_idx"], strict=True))
    index_of.update({term_id: len(concepts) + i for i, term_id in enumerate(zero)})
    names = sorted(set(held["relation"]) - {"is_a"})
    relation_index = {"is_a": NO_RELATION, **{name: i for i, name in enumerate(names)}}
    is_a = (held["relation"] == "is_a").to_numpy()
    axioms = pd.DataFrame(
        {
            "normal_form": np.where(is_a, "NF1", "NF4"),
            "c": held["child_id"].map(index_of),
            "relation": held["relation"].map(relation_index),
            "relation_name": held["relation"].where(~is_a, ""),
            "d": held["parent_id"].map(index_of),
            "c_id": held["child_id"],
            "d_id": held["parent_id"],
        }
    ).astype({"normal_form": "str", "c": "int32", "relation": "int32", "d": "int32"})
    return axioms.sort_values(["normal_form", "c", "relation", "d"], ignore_index=True)[list(AXIOM_COLUMNS)]


def _upwards(relations: pd.DataFrame, start: set[str]) -> set[str]:
    """Return `start` and everything above it. Works on cycles too, which `has_part` may make."""
    reached, frontier = set(start), set(start)
    while frontier:
        frontier = set(relations.loc[relations["child_id"].isin(frontier), "parent_id"]) - reached
        reached |= frontier
    return reached
