"""Axioms over concepts and zero concepts."""

import pandas as pd

from protsae.ontology.normal_forms import AXIOM_COLUMNS, AxiomConfig, axiom_table
from protsae.ontology.obo import Ontology


def concepts(*ids: str) -> pd.DataFrame:
    return pd.DataFrame({"concept_idx": range(len(ids)), "concept_id": ids})


def test_axioms_reach_up_to_the_roots(toy: Ontology):
    axioms = axiom_table(concepts("GO:1000003", "GO:1000005", "GO:2000002"), toy, AxiomConfig())
    assert tuple(axioms.columns) == AXIOM_COLUMNS
    # Zero concepts by id: 3 GO:1000001, 4 GO:1000002, 5 GO:2000001. Relations: 0 part_of, 1 regulates.
    assert axioms.to_numpy().tolist() == [
        ["NF1", 0, -1, "", 4, "GO:1000003", "GO:1000002"],
        ["NF1", 1, -1, "", 3, "GO:1000005", "GO:1000001"],
        ["NF1", 2, -1, "", 5, "GO:2000002", "GO:2000001"],
        ["NF1", 4, -1, "", 3, "GO:1000002", "GO:1000001"],
        ["NF4", 1, 1, "regulates", 0, "GO:1000005", "GO:1000003"],
        ["NF4", 2, 0, "part_of", 4, "GO:2000002", "GO:1000002"],
    ]


def test_a_concept_keeps_its_index_and_a_term_below_adds_nothing(toy: Ontology):
    axioms = axiom_table(concepts("GO:1000002"), toy, AxiomConfig())
    assert axioms.to_numpy().tolist() == [["NF1", 0, -1, "", 1, "GO:1000002", "GO:1000001"]]


def test_without_zero_concepts_both_ends_are_concepts(toy: Ontology):
    named = concepts("GO:1000003", "GO:1000005", "GO:2000002")
    axioms = axiom_table(named, toy, AxiomConfig(zero_concepts="none"))
    assert axioms.to_numpy().tolist() == [["NF4", 1, 0, "regulates", 0, "GO:1000005", "GO:1000003"]]


def test_no_axiom_at_all_keeps_the_columns_and_types(toy: Ontology):
    some = axiom_table(concepts("GO:1000003"), toy, AxiomConfig())
    none = axiom_table(concepts("GO:1000003"), toy, AxiomConfig(zero_concepts="none"))
    assert len(none) == 0
    assert none.dtypes.to_dict() == some.dtypes.to_dict()


def test_cycles_over_has_part_end(toy: Ontology):
    extra = pd.DataFrame([("GO:1000001", "has_part", "GO:1000003")], columns=toy.relations.columns)
    ontology = Ontology(toy.terms, pd.concat([toy.relations, extra]))
    axioms = axiom_table(concepts("GO:1000003"), ontology, AxiomConfig())
    assert axioms[["c_id", "relation_name", "d_id"]].to_numpy().tolist() == [
        ["GO:1000003", "", "GO:1000002"],
        ["GO:1000002", "", "GO:1000001"],
        ["GO:1000001", "has_part", "GO:1000003"],
    ]
