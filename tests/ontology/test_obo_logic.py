"""OBO files: logical definitions, disjointness, and what is said of relations."""

from pathlib import Path

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ontology.test_obo import HEAD, term, write

from helpers.writing import subset, write_obo
from protsae.ontology.obo import Ontology, read_obo

LOGIC = [
    ("GO:1", "disjoint_from", "", "GO:3"),
    ("GO:1", "intersection_of", "", "GO:2"),
    ("GO:1", "intersection_of", "part_of", "GO:3"),
    ("GO:1", "union_of", "", "GO:2"),
    ("GO:1", "union_of", "", "GO:4"),
]


def logic_file(folder: Path) -> Path:
    lines = [
        " ".join(filter(None, (f"{clause}:", relation, filler))) for _, clause, relation, filler in LOGIC
    ]
    lines[2] += ' {source="x"} ! three'
    others = "".join(term(f"GO:{i}") for i in (2, 3, 4))
    return write(folder, HEAD + term("GO:1", *lines, lines[1]) + others)


def test_logical_clauses_may_have_modifiers_and_comments(tmp_path: Path):
    ontology = read_obo(logic_file(tmp_path))
    assert list(ontology.logic.itertuples(index=False, name=None)) == LOGIC
    assert ontology.unused_clauses == {}
    assert ontology.report()["n_logical_clauses"] == {"disjoint_from": 1, "intersection_of": 2, "union_of": 2}
    assert ontology.relations.empty


def test_a_subset_keeps_definitions_and_unions_whole_or_not_at_all(tmp_path: Path):
    ontology = read_obo(logic_file(tmp_path))

    def kept(*ids: str) -> list[tuple]:
        return list(subset(ontology, ids).logic.itertuples(index=False, name=None))

    assert kept("GO:1", "GO:2", "GO:3") == LOGIC[:3]
    assert kept("GO:1", "GO:2", "GO:4") == LOGIC[3:]
    assert kept("GO:1", "GO:3") == LOGIC[:1]
    assert kept("GO:2", "GO:3") == []


def test_what_a_stanza_of_another_kind_says_is_counted(tmp_path: Path):
    typedef = "[Typedef]\nid: part_of\nname: part of\nis_transitive: true\nholds_over_chain: a b\n"
    ontology = read_obo(write(tmp_path, HEAD + term("GO:1", "xref: a", "xref: b") + typedef))
    expected = {"Typedef/holds_over_chain": 1, "Typedef/is_transitive": 1, "xref": 2}
    assert ontology.unused_clauses == expected


def test_relationships_that_are_metadata_say_nothing_of_the_term(tmp_path: Path):
    """A term that is never in a taxon is not below that taxon; the taxon need not be in the file."""
    typedef = "[Typedef]\nid: never_in_taxon\nis_metadata_tag: true\n"
    clauses = ("relationship: never_in_taxon NCBITaxon:33208 ! Metazoa", "relationship: part_of GO:2")
    text = HEAD + term("GO:1", *clauses) + term("GO:2") + typedef
    ontology = read_obo(write(tmp_path, text))
    assert ontology.relations.to_numpy().tolist() == [["GO:1", "part_of", "GO:2"]]
    assert ontology.unused_clauses == {"Typedef/is_metadata_tag": 1, "relationship/never_in_taxon": 1}
    of_the_term = read_obo(write(tmp_path, text.replace("tag: true", "tag: false")))
    assert of_the_term.unused_clauses == {"Typedef/is_metadata_tag": 1, "relationship/other ontologies": 1}


def test_relations_of_definitions_are_declared_in_the_file_written(tmp_path: Path):
    write_obo(read_obo(logic_file(tmp_path)), tmp_path / "a.obo")
    assert "[Typedef]\nid: part_of\nname: part of\n" in (tmp_path / "a.obo").read_text()


IDS = [f"GO:{i}" for i in range(6)]
NUMBERS = st.integers(0, 5)
KINDS = st.sampled_from(["is_a", "part_of", "r"])
RELATIONS = st.sets(st.tuples(NUMBERS, KINDS, NUMBERS).filter(lambda row: row[0] > row[2]))
CLAUSES = st.sampled_from(["disjoint_from", "equivalent_to"])
PAIRS = st.sets(st.tuples(NUMBERS, CLAUSES, st.just(""), NUMBERS).filter(lambda row: row[0] != row[3]))
PARTS = st.sets(st.tuples(st.sampled_from(["part_of", "s"]), NUMBERS), min_size=2, max_size=4)
DEFINITIONS = st.dictionaries(NUMBERS, PARTS, max_size=3)


@settings(max_examples=80, deadline=None)
@given(RELATIONS, PAIRS, DEFINITIONS, st.randoms(use_true_random=False))
def test_any_statements_survive_writing_in_any_order(tmp_path_factory, relations, pairs, definitions, random):
    rows = [(term, "intersection_of", *part) for term, parts in definitions.items() for part in parts]
    rows += [(term, "union_of", "", (term + step) % 6) for term in definitions for step in (1, 2)]
    logic = [(IDS[term], clause, relation, IDS[filler]) for term, clause, relation, filler in (*rows, *pairs)]
    stated = [(IDS[child], relation, IDS[parent]) for child, relation, parent in relations]
    random.shuffle(stated)
    random.shuffle(logic)
    terms = pd.DataFrame({"term_id": IDS, "name": IDS, "aspect": "BPO", "definition": ""})
    ontology = Ontology(
        terms.assign(is_obsolete=False, alt_ids="", replaced_by=""),
        pd.DataFrame(stated, columns=["child_id", "relation", "parent_id"], dtype="str"),
        logic=pd.DataFrame(logic, columns=["term_id", "clause", "relation", "filler_id"], dtype="str"),
    )
    path = tmp_path_factory.mktemp("obo") / "x.obo"
    write_obo(ontology, path)
    again = read_obo(path)
    assert list(again.relations.itertuples(index=False, name=None)) == sorted(stated)
    assert list(again.logic.itertuples(index=False, name=None)) == sorted(logic)
