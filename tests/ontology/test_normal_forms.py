"""Normal forms of single statements, names of fresh classes, and the part over the concepts."""

import pandas as pd
import pytest
from tests.ontology.test_entailment import ontology_of

from protsae.core.errors import InputError
from protsae.ontology.concept_axioms import CONCEPT_AXIOM_COLUMNS, AxiomConfig, axiom_table
from protsae.ontology.normal_forms import AXIOM_COLUMNS, axiom_counts, axiom_frame, ontology_axioms
from protsae.ontology.obo import Ontology


def concepts(*ids: str) -> pd.DataFrame:
    return pd.DataFrame({"concept_idx": range(len(ids)), "concept_id": ids})


def axioms_of(*logic: tuple, relations: tuple = ()) -> list[tuple]:
    """Return the axioms of an ontology with the terms A to E, as tuples."""
    axioms = ontology_axioms(ontology_of(list("ABCDE"), list(relations), list(logic)))
    assert tuple(axioms.columns) == AXIOM_COLUMNS
    return list(axioms.itertuples(index=False, name=None))


def test_is_a_and_other_relations():
    assert axioms_of(relations=(("A", "is_a", "B"), ("A", "part_of", "B"), ("C", "is_a", "C"))) == [
        ("NF1", "A", "B", "", ""),
        ("NF4", "A", "B", "", "part_of"),
    ]


def test_a_definition_of_classes_is_nf1_down_and_nf2_up():
    assert axioms_of(("C", "intersection_of", "", "B"), ("C", "intersection_of", "", "A")) == [
        ("NF1", "C", "A", "", ""),
        ("NF1", "C", "B", "", ""),
        ("NF2", "A", "B", "C", ""),
    ]


def test_a_definition_with_a_relation_needs_a_fresh_class():
    definition = [("C", "intersection_of", "", "A"), ("C", "intersection_of", "part_of", "B")]
    expected = [
        ("NF1", "C", "A", "", ""),
        ("NF2", "A", "_:some_part_of_B", "C", ""),
        ("NF3", "B", "_:some_part_of_B", "", "part_of"),
        ("NF4", "C", "B", "", "part_of"),
    ]
    assert axioms_of(*definition) == expected
    # What the definition implies may be stated too, and counts once.
    assert axioms_of(*definition, relations=(("C", "is_a", "A"), ("C", "part_of", "B"))) == expected


def test_parts_join_in_pairs_and_equal_expressions_share_a_class():
    first, second = (
        [
            (term, "intersection_of", "r", "B"),
            (term, "intersection_of", "", "A"),
            (term, "intersection_of", *last),
        ]
        for term, last in (("C", ("s", "E")), ("D", ("s", "B")))
    )
    assert [axiom for axiom in axioms_of(*first, *second) if axiom[0] in ("NF2", "NF3")] == [
        ("NF2", "A", "_:some_r_B", "_:A_and_some_r_B", ""),
        ("NF2", "_:A_and_some_r_B", "_:some_s_B", "D", ""),
        ("NF2", "_:A_and_some_r_B", "_:some_s_E", "C", ""),
        ("NF3", "B", "_:some_r_B", "", "r"),
        ("NF3", "B", "_:some_s_B", "", "s"),
        ("NF3", "E", "_:some_s_E", "", "s"),
    ]


def test_equivalence_union_and_disjointness():
    both_ways = [("NF1", "A", "B", "", ""), ("NF1", "B", "A", "", "")]
    assert axioms_of(("B", "equivalent_to", "", "A")) == both_ways
    assert axioms_of(("C", "union_of", "", "A"), ("C", "union_of", "", "B")) == [
        ("NF1", "A", "C", "", ""),
        ("NF1", "B", "C", "", ""),
    ]
    twice = axioms_of(("B", "disjoint_from", "", "A"), ("A", "disjoint_from", "", "B"))
    assert twice == [("DISJOINT", "A", "B", "", "")]


def test_statements_of_and_about_obsolete_terms_are_no_axioms():
    logic = [("A", "disjoint_from", "", "B"), ("B", "equivalent_to", "", "C")]
    ontology = ontology_of(["A", "B", "C"], [("A", "is_a", "C")], logic)
    ontology.terms.loc[0, "is_obsolete"] = True
    assert ontology_axioms(ontology)["normal_form"].tolist() == ["NF1", "NF1"]
    assert set(ontology_axioms(ontology)["c_id"]) == {"B", "C"}


def test_two_expressions_with_one_name_are_refused():
    logic = [("C", "intersection_of", "", "A"), ("D", "intersection_of", "", "A")]
    logic += [("C", "intersection_of", "r_s", "x"), ("D", "intersection_of", "r", "s_x")]
    with pytest.raises(InputError, match=r"name _:some_r_s_x for an expression of s_x, but .* rename"):
        ontology_axioms(ontology_of(["A", "C", "D", "x", "s_x"], [], logic))


def test_counts_name_every_form():
    rows = [("NF1", "A", "B", "", ""), ("NF1", "A", "A", "", ""), ("NF2", "B", "A", "_:x", "")]
    axioms = axiom_frame(rows)
    assert axioms.to_numpy().tolist() == [["NF1", "A", "B", "", ""], ["NF2", "A", "B", "_:x", ""]]
    expected = {"DISJOINT": 0, "NF1": 1, "NF2": 1, "NF3": 0, "NF4": 0, "n_fresh_classes": 1}
    assert axiom_counts(axioms) == expected


def test_axioms_reach_up_to_the_roots(toy: Ontology):
    named = concepts("GO:1000003", "GO:1000005", "GO:2000002")
    axioms = axiom_table(named, ontology_axioms(toy), AxiomConfig())
    assert tuple(axioms.columns) == CONCEPT_AXIOM_COLUMNS
    # Zero concepts by id: 3 GO:1000001, 4 GO:1000002, 5 GO:2000001. Relations: 0 part_of, 1 regulates.
    assert axioms.to_numpy().tolist() == [
        ["DISJOINT", 0, -1, "", 1, -1, "GO:1000003", "GO:1000005", ""],
        ["NF1", 0, -1, "", 4, -1, "GO:1000003", "GO:1000002", ""],
        ["NF1", 1, -1, "", 3, -1, "GO:1000005", "GO:1000001", ""],
        ["NF1", 2, -1, "", 5, -1, "GO:2000002", "GO:2000001", ""],
        ["NF1", 4, -1, "", 3, -1, "GO:1000002", "GO:1000001", ""],
        ["NF4", 1, 1, "regulates", 0, -1, "GO:1000005", "GO:1000003", ""],
        ["NF4", 2, 0, "part_of", 4, -1, "GO:2000002", "GO:1000002", ""],
    ]


def test_a_concept_keeps_its_index_and_a_term_below_adds_nothing(toy: Ontology):
    axioms = axiom_table(concepts("GO:1000002"), ontology_axioms(toy), AxiomConfig())
    assert axioms.to_numpy().tolist() == [["NF1", 0, -1, "", 1, -1, "GO:1000002", "GO:1000001", ""]]


def test_without_zero_concepts_all_classes_are_concepts(toy: Ontology):
    named = concepts("GO:1000003", "GO:1000005", "GO:2000002")
    axioms = axiom_table(named, ontology_axioms(toy), AxiomConfig(zero_concepts="none"))
    assert axioms.to_numpy().tolist() == [
        ["DISJOINT", 0, -1, "", 1, -1, "GO:1000003", "GO:1000005", ""],
        ["NF4", 1, 0, "regulates", 0, -1, "GO:1000005", "GO:1000003", ""],
    ]


def test_no_axiom_at_all_keeps_the_columns_and_types(toy: Ontology):
    some = axiom_table(concepts("GO:1000003"), ontology_axioms(toy), AxiomConfig())
    none = axiom_table(concepts("GO:1000003"), ontology_axioms(toy), AxiomConfig(zero_concepts="none"))
    assert len(none) == 0
    assert none.dtypes.to_dict() == some.dtypes.to_dict()
    assert len(axiom_table(concepts(), ontology_axioms(toy), AxiomConfig())) == 0


def test_cycles_over_has_part_end(toy: Ontology):
    extra = pd.DataFrame([("GO:1000001", "has_part", "GO:1000003")], columns=toy.relations.columns)
    ontology = Ontology(toy.terms, pd.concat([toy.relations, extra]))
    axioms = axiom_table(concepts("GO:1000003"), ontology_axioms(ontology), AxiomConfig())
    assert axioms[["c_id", "relation_name", "d_id"]].to_numpy().tolist() == [
        ["GO:1000003", "", "GO:1000002"],
        ["GO:1000002", "", "GO:1000001"],
        ["GO:1000001", "has_part", "GO:1000003"],
    ]


PART = axiom_frame(
    [
        ("NF1", "A", "B", "", ""),
        ("NF2", "A", "B", "E", ""),
        ("NF2", "A", "X", "Y", ""),
        ("NF3", "B", "P", "", "r"),
        ("NF3", "B", "Q", "", "s"),
        ("NF4", "E", "F", "", "r"),
        ("DISJOINT", "A", "P", "", ""),
        ("DISJOINT", "A", "Q", "", ""),
    ]
)


def test_an_axiom_is_in_when_all_of_its_left_side_is_reachable():
    """B by NF1; E since A and B are; r and F by E; P since B and r are. X and s, and so Y and Q, are not."""
    axioms = axiom_table(concepts("A"), PART, AxiomConfig())
    # Zero concepts: 1 B, 2 E, 3 F, 4 P. One relation: 0 r.
    assert axioms.to_numpy().tolist() == [
        ["DISJOINT", 0, -1, "", 4, -1, "A", "P", ""],
        ["NF1", 0, -1, "", 1, -1, "A", "B", ""],
        ["NF2", 0, -1, "", 1, 2, "A", "B", "E"],
        ["NF3", 1, 0, "r", 4, -1, "B", "P", ""],
        ["NF4", 2, 0, "r", 3, -1, "E", "F", ""],
    ]
    assert axioms.dtypes[["c", "relation", "d", "e"]].astype(str).tolist() == ["int32"] * 4
