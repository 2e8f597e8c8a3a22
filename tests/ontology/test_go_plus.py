"""What a go-plus file has and the basic one has not, on an ontology of 58 terms; expectations by hand.

P, F, C and X are the ids of processes, functions, components and obsolete terms of `data/go_plus.obo`.
"""

import io
import re
from pathlib import Path

import obonet
import pandas as pd
import pytest
from tests.ontology.el_reasoner import entailed_by_normal_forms, entailed_by_statements
from tests.toy_ontology import ancestors_of

from protsae.annotations.ids import resolve_ids
from protsae.ontology.closure import ancestor_closure
from protsae.ontology.concept_axioms import AxiomConfig, axiom_table
from protsae.ontology.norm_file import norm_text, read_norm
from protsae.ontology.normal_forms import axiom_counts, ontology_axioms
from protsae.ontology.obo import Ontology, read_obo

GO_PLUS = Path(__file__).parent / "data/go_plus.obo"


def ids(*words: str) -> list[str]:
    """Return P5 as GO:0100005, F5 as GO:0200005, C5 as GO:0300005, X5 as GO:0900005."""
    return [f"GO:0{'PFC'.find(word[0]) + 1 or 9}{int(word[1:]):05d}" for word in words]


@pytest.fixture(scope="module")
def go_plus() -> Ontology:
    return read_obo(GO_PLUS)


@pytest.fixture(scope="module")
def axioms(go_plus: Ontology) -> pd.DataFrame:
    return ontology_axioms(go_plus)


def rows(axioms: pd.DataFrame, form: str) -> list[list[str]]:
    """Return the axioms of a form without its name and empty cells; ids short, as in `ids`."""
    words = [f"{kind}{i}" for kind in "PFC" for i in range(1, 21)]
    short = dict(zip(ids(*words), words, strict=True))
    of_form = axioms[axioms["normal_form"] == form].itertuples(index=False, name=None)
    return [[short.get(cell, cell) for cell in row[1:] if cell] for row in of_form]


def test_the_report_counts_everything(go_plus: Ontology):
    assert go_plus.report() == {
        "data_version": "releases/2024-06-17/extensions/go-plus-like.owl",
        "n_terms_current": 46,
        "n_terms_obsolete": 12,
        "n_terms_per_aspect": {"BPO": 20, "CCO": 14, "MFO": 12},
        "n_relations": {
            "has_part": 4,
            "is_a": 38,
            "negatively_regulates": 2,
            "occurs_in": 2,
            "part_of": 13,
            "positively_regulates": 2,
            "regulates": 2,
        },
        "n_logical_clauses": {"disjoint_from": 5, "equivalent_to": 1, "intersection_of": 17, "union_of": 2},
        "n_clauses_unused": {
            "Typedef/inverse_of": 1,
            "Typedef/is_a": 2,
            "Typedef/is_transitive": 2,
            "Typedef/transitive_over": 1,
            "Typedef/xref": 1,
            "consider": 3,
            "subset": 1,
            "synonym": 1,
        },
    }


def test_obonet_reads_the_same(go_plus: Ontology):
    text = re.sub(r"(?m)^!.*\n", "", GO_PLUS.read_text())  # it takes comments between stanzas for clauses
    graph = obonet.read_obo(io.StringIO(text), ignore_obsolete=False)
    edges = sorted((child, relation, parent) for child, parent, relation in graph.edges(keys=True))
    assert list(go_plus.relations.itertuples(index=False, name=None)) == edges
    logic = {
        (term, clause, *expression.split("{")[0].split())
        for term, data in graph.nodes(data=True)
        for clause in ("disjoint_from", "equivalent_to", "intersection_of", "union_of")
        for expression in data.get(clause, [])
    }
    assert {tuple(filter(None, row)) for row in go_plus.logic.itertuples(index=False, name=None)} == logic
    assert len(logic) == len(go_plus.logic)


def test_former_ids_lead_to_the_current_ones(go_plus: Ontology):
    asked = ids("X1", "X2", "X3", "X4", "X5", "X6", "X9", "X10", "X12")
    asked += ["GO:0109003", "GO:0909012", "GO:7777777"]
    resolved = resolve_ids(pd.Series(asked), go_plus).set_index("term_id").loc[asked]
    process, signalling, division = ids("P3", "P2", "P4")
    assert resolved[["status", "resolved_id"]].to_numpy().tolist() == [
        ["replaced", process],
        ["replaced", process],
        ["replaced", process],
        ["replaced", signalling],  # through an alternative id
        ["obsolete", ""],  # `consider` is advice, no replacement
        ["obsolete", ""],  # a circle
        ["obsolete", ""],  # two successors
        ["obsolete", ""],  # the successor is unknown
        ["replaced", division],
        ["alternative", signalling],
        ["replaced", division],  # former id of an obsolete term
        ["unknown", ""],
    ]


@pytest.mark.parametrize(
    ("preset", "term", "above"),
    [
        ("cafa", "F4", "F4 F3 F1"),  # part_of leads into another aspect
        ("deepgo", "F4", "F4 F3 F1 P5 P3 P1"),
        ("cafa", "P19", "P19 P6 P3 P1"),
        ("deepgo", "P19", "P19 P6 P3 P1 C3 C2 C1 C4 C5"),  # occurs_in
        ("cafa", "C6", "C6 C1 C4 C5 C3 C2"),
        ("deepgo", "C6", "C6 C1 C4 C5 C3 C2"),
        ("cafa", "P10", "P10 P9 P8 P1"),
        ("deepgo", "P10", "P10 P9 P8 P1 P3"),  # positively_regulates
        ("cafa", "F7", "F7 F5 F1"),
        ("deepgo", "F7", "F7 F5 F1 F8 F2 P2 P1"),  # has_part and part_of
        ("cafa", "P16", "P16 P15 P1"),
        ("deepgo", "P16", "P16 P15 P1 P4"),
        ("deepgo", "F10", "F10 F9 F7 F5 F1 F8 F2 P2 P1"),
        ("cafa", "C11", "C11 C10 C1"),
        ("deepgo", "C11", "C11 C10 C1 C12 C13 C14"),
        ("deepgo", "P7", "P7"),  # what only the definition says is no relation
        ("deepgo", "P12", "P12"),
        ("deepgo", "P13", "P13 P1"),
    ],
)
def test_ancestors_of_a_term(go_plus: Ontology, preset: str, term: str, above: str):
    assert ancestors_of(ancestor_closure(go_plus, preset), ids(term)) == set(ids(*above.split()))


def test_nf1_comes_from_is_a_definitions_unions_and_equivalences(axioms: pd.DataFrame):
    beyond_is_a = [["P12", "P3"], ["P14", "P13"], ["P18", "P14"], ["P18", "P2"], ["P3", "P12"], ["P3", "P13"]]
    beyond_is_a += [["P7", "P5"], ["P10", "P8"], ["F12", "F4"]]
    nf1 = rows(axioms, "NF1")
    assert all(pair in nf1 for pair in beyond_is_a)
    assert len(nf1) == 38 + len(beyond_is_a)  # P6, P9 and C4 state the genus of their definition by is_a too


def test_nf2_joins_the_parts_of_definitions(axioms: pd.DataFrame):
    nucleus = "_:some_occurs_in_GO_0300003"
    joined = "_:GO_0100005_and_some_occurs_in_GO_0300003"
    assert rows(axioms, "NF2") == [
        ["P2", "P14", "P18"],
        ["P3", nucleus, "P6"],
        ["P5", nucleus, joined],
        ["P8", "_:some_positively_regulates_GO_0100003", "P10"],
        ["P8", "_:some_regulates_GO_0100003", "P9"],
        ["F4", "_:some_has_part_GO_0200005", "F12"],
        ["C5", "_:some_part_of_GO_0300003", "C4"],
        [joined, "_:some_part_of_GO_0100004", "P7"],
    ]


def test_nf3_gives_every_expression_one_class(axioms: pd.DataFrame):
    assert rows(axioms, "NF3") == [
        ["P3", "_:some_positively_regulates_GO_0100003", "positively_regulates"],
        ["P3", "_:some_regulates_GO_0100003", "regulates"],
        ["P4", "_:some_part_of_GO_0100004", "part_of"],
        ["F5", "_:some_has_part_GO_0200005", "has_part"],
        ["C3", "_:some_occurs_in_GO_0300003", "occurs_in"],
        ["C3", "_:some_part_of_GO_0300003", "part_of"],
    ]


def test_nf4_is_every_relation_once(axioms: pd.DataFrame):
    nf4 = rows(axioms, "NF4")
    # 25 relations other than is_a; P7 and F12 state theirs in the definition only.
    assert len(nf4) == 25 + 3
    assert [row for row in nf4 if row[0] in ("P6", "P7", "F12", "F7")] == [
        ["P6", "C3", "occurs_in"],
        ["P7", "P4", "part_of"],
        ["P7", "C3", "occurs_in"],
        ["F7", "P2", "part_of"],
        ["F7", "F8", "has_part"],
        ["F12", "F5", "has_part"],
    ]


def test_disjoint_classes_are_a_form_of_their_own(axioms: pd.DataFrame):
    pairs = [["P3", "P4"], ["P10", "P11"], ["F2", "F5"], ["C2", "C10"], ["C3", "C5"]]
    assert rows(axioms, "DISJOINT") == pairs
    counts = {"DISJOINT": 5, "NF1": 47, "NF2": 8, "NF3": 6, "NF4": 28, "n_fresh_classes": 7}
    assert axiom_counts(axioms) == counts


def test_what_follows_is_what_followed_and_more_than_is_a(go_plus: Ontology, axioms: pd.DataFrame):
    names = set(go_plus.terms.loc[~go_plus.terms["is_obsolete"], "term_id"])
    follows = entailed_by_normal_forms(axioms, names)
    assert follows == entailed_by_statements(go_plus)
    inner, nuclear, membrane = ids("C7", "C4", "C5")
    assert {(inner, nuclear), (inner, membrane)} <= follows  # inner nuclear membrane: by NF3 and NF2
    assert tuple(ids("P7", "P6")) in follows  # ion transport in the nucleus ... is transport in the nucleus
    assert tuple(ids("P12", "P13")) in follows  # conveyance is transport, one operand of the union
    assert tuple(ids("P6", "P7")) not in follows
    assert tuple(ids("C8", "C4")) not in follows  # part of the nucleus, but no membrane


def test_go_norm_gives_the_axioms_back(tmp_path: Path, axioms: pd.DataFrame):
    text = norm_text(axioms)
    (tmp_path / "go.norm").write_text(text)
    pd.testing.assert_frame_equal(read_norm(tmp_path / "go.norm")[0], axioms)
    lines = text.splitlines()
    assert len(lines) == 94
    assert "GO_0300003 and GO_0300005 SubClassOf Nothing" in lines
    assert "occurs_in some GO_0300003 SubClassOf _:some_occurs_in_GO_0300003" in lines


def test_the_part_over_a_concept_crosses_aspects(axioms: pd.DataFrame):
    """P19 occurs in C4: above it are P6 P3 P1 P12 P13, reachable too C4 C5 C3 C2 C1 and both expressions."""
    concepts = pd.DataFrame({"concept_idx": [0], "concept_id": ids("P19")})
    part = axiom_table(concepts, axioms, AxiomConfig())
    classes = set(part["c_id"]) | set(part["d_id"]) | set(part["e_id"]) - {""}
    expected = set(ids("P19", "P6", "P3", "P1", "P12", "P13", "C1", "C2", "C3", "C4", "C5"))
    assert classes == expected | {"_:some_occurs_in_GO_0300003", "_:some_part_of_GO_0300003"}
    counts = part["normal_form"].value_counts().to_dict()
    assert counts == {"NF1": 11, "NF2": 2, "NF3": 2, "NF4": 3, "DISJOINT": 1}
    assert part[["c", "d", "e"]].to_numpy().max() == len(classes) - 1
