"""Normal forms say what the ontology said: checked by two slow reasoners on small random ontologies."""

from random import Random

import pandas as pd
import pytest
from tests.ontology.el_reasoner import entailed_by_normal_forms, entailed_by_statements

from protsae.ontology.concept_axioms import AxiomConfig, axiom_table
from protsae.ontology.normal_forms import ontology_axioms
from protsae.ontology.obo import LOGIC_COLUMNS, RELATION_COLUMNS, Ontology

N_ONTOLOGIES = 300


def ontology_of(terms: list[str], relations: list[tuple], logic: list[tuple]) -> Ontology:
    frame = pd.DataFrame(
        {"term_id": terms, "aspect": "BPO", "is_obsolete": False, "alt_ids": "", "replaced_by": ""}
    )
    return Ontology(
        frame,
        pd.DataFrame(relations, columns=list(RELATION_COLUMNS), dtype="str"),
        logic=pd.DataFrame(logic, columns=list(LOGIC_COLUMNS), dtype="str"),
    )


def random_ontology(seed: int) -> Ontology:
    """Return 4 to 8 classes, 1 or 2 relations, definitions of 1 to 4 parts, disjoint and equivalent ones."""
    random = Random(seed)
    names = [f"X:{i}" for i in range(random.randint(4, 8))]
    kinds = ["part_of", "has_part"][: random.randint(1, 2)]
    relations = {
        (random.choice(names), random.choice(["is_a", "is_a", *kinds]), random.choice(names))
        for _ in range(random.randint(2, 8))
    }
    logic = set()
    for term in random.sample(names, random.randint(1, 3)):
        parts = {(random.choice(["", *kinds]), random.choice(names)) for _ in range(random.randint(2, 4))}
        logic |= {(term, "intersection_of", *part) for part in parts}
    for clause, most in (("disjoint_from", 2), ("equivalent_to", 1), ("union_of", 2)):
        for _ in range(random.randint(0, most)):
            term, other = random.sample(names, 2)
            logic.add((term, clause, "", other))
    return ontology_of(names, sorted(relations), sorted(logic))


@pytest.fixture(scope="module")
def ontologies() -> list[Ontology]:
    return [random_ontology(seed) for seed in range(N_ONTOLOGIES)]


def test_normal_forms_entail_what_the_statements_do_and_no_more(ontologies: list[Ontology]):
    n_beyond_nf1, n_unsatisfiable = 0, 0
    for seed, ontology in enumerate(ontologies):
        names = set(ontology.terms["term_id"])
        axioms = ontology_axioms(ontology)
        expected = entailed_by_statements(ontology)
        assert entailed_by_normal_forms(axioms, names) == expected, f"seed {seed}"
        easy = entailed_by_normal_forms(axioms[axioms["normal_form"] == "NF1"], names)
        n_beyond_nf1 += expected > easy
        n_unsatisfiable += any(all((a, b) in expected for b in names - {a}) for a in names)
    # The sample is worth something: in many, NF2 to NF4 or a contradiction are needed.
    assert n_beyond_nf1 > 100
    assert n_unsatisfiable > 30


def test_the_part_over_some_concepts_says_of_them_what_the_whole_does(ontologies: list[Ontology]):
    n_smaller = 0
    for seed, ontology in enumerate(ontologies[:150]):
        names = set(ontology.terms["term_id"])
        concepts = sorted(names)[:2]
        axioms = ontology_axioms(ontology)
        table = axiom_table(
            pd.DataFrame({"concept_idx": range(2), "concept_id": concepts}), axioms, AxiomConfig()
        )
        part = {(a, b) for a, b in entailed_by_normal_forms(table, names) if a in concepts}
        whole = {(a, b) for a, b in entailed_by_normal_forms(axioms, names) if a in concepts}
        assert part == whole, f"seed {seed}"
        n_smaller += len(table) < len(axioms)
    assert n_smaller > 50


def test_order_of_the_input_does_not_matter(ontologies: list[Ontology]):
    for ontology in ontologies[:50]:
        shuffled = Ontology(
            ontology.terms.sample(frac=1, random_state=1),
            ontology.relations.sample(frac=1, random_state=2),
            logic=ontology.logic.sample(frac=1, random_state=3),
        )
        pd.testing.assert_frame_equal(ontology_axioms(shuffled), ontology_axioms(ontology))
