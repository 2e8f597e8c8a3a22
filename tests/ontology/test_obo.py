"""OBO files: what is read, what is refused, and that writing loses nothing."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.writing import subset, write_obo
from protsae.annotations.ids import resolve_ids
from protsae.core.errors import InputError
from protsae.ontology.closure import ancestor_closure
from protsae.ontology.obo import Ontology, read_obo

DATA = Path(__file__).parent / "data"
HEAD = "format-version: 1.4\ndefault-namespace: biological_process\n"


HALF_A_GZIP = gzip.compress((HEAD + "[Term]\nid: GO:1\n" * 99).encode(), mtime=0)[:60]


def term(term_id: str, *clauses: str) -> str:
    return "\n".join(["", "[Term]", f"id: {term_id}", f"name: {term_id}", *clauses, ""])


def write(folder: Path, content: str | bytes, name: str = "x.obo") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_toy_terms_and_relations_are_exactly_these(toy: Ontology):
    rows = {row.term_id: row for row in toy.terms.itertuples(index=False)}
    assert toy.terms["term_id"].tolist() == sorted(rows)
    assert len(rows) == 15
    assert rows["GO:1000002"].definition == 'A "quoted" definition; with\na break.'
    assert rows["GO:1000003"].name == "three, with a ! mark"
    assert rows["GO:1000003"].alt_ids == "GO:1000093;GO:1000094"
    assert rows["GO:9000006"].replaced_by == "GO:1000003;GO:2000002"
    assert toy.terms.loc[toy.terms["is_obsolete"], "term_id"].tolist() == [
        f"GO:900000{i}" for i in range(1, 7)
    ]
    assert toy.terms["aspect"].value_counts().to_dict() == {"BPO": 7, "MFO": 6, "CCO": 2}
    assert toy.relations.to_numpy().tolist() == [
        ["GO:1000002", "is_a", "GO:1000001"],
        ["GO:1000003", "is_a", "GO:1000002"],
        ["GO:1000004", "part_of", "GO:1000002"],
        ["GO:1000005", "is_a", "GO:1000001"],
        ["GO:1000005", "regulates", "GO:1000003"],
        ["GO:2000002", "is_a", "GO:2000001"],
        ["GO:2000002", "part_of", "GO:1000002"],
        ["GO:3000002", "is_a", "GO:3000001"],
    ]


def test_report_counts_terms_relations_and_what_was_not_used(toy: Ontology):
    assert toy.report() == {
        "data_version": "toy/2024-01-01",
        "n_terms_current": 9,
        "n_terms_obsolete": 6,
        "n_terms_per_aspect": {"BPO": 5, "CCO": 2, "MFO": 2},
        "n_relations": {"is_a": 5, "part_of": 2, "regulates": 1},
        "n_logical_clauses": {"disjoint_from": 1},
        "n_clauses_unused": {"synonym": 2},
    }


@pytest.mark.parametrize("change", ["gzip", "crlf", "cr", "bom"])
def test_packaging_of_the_text_does_not_matter(tmp_path: Path, toy: Ontology, toy_obo: Path, change: str):
    raw = toy_obo.read_bytes()
    packed = {
        "gzip": gzip.compress(raw),
        "crlf": raw.replace(b"\n", b"\r\n"),
        "cr": raw.replace(b"\n", b"\r"),
        "bom": b"\xef\xbb\xbf" + raw,
    }[change]
    read = read_obo(write(tmp_path, packed, "plain_name.obo"))
    pd.testing.assert_frame_equal(read.terms, toy.terms)
    pd.testing.assert_frame_equal(read.relations, toy.relations)


def test_other_namespaces_are_kept_as_aspects(tmp_path: Path):
    text = "default-namespace: enzyme\n" + term("EC:1") + term("EC:1.1", "is_a: EC:1", "namespace: other")
    assert read_obo(write(tmp_path, text)).terms["aspect"].tolist() == ["enzyme", "other"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty, no ontology in it"),
        (b" \n\n", "the file is empty"),
        (b"<!DOCTYPE html><html>404</html>", "web page or XML, not ontology"),
        (b"\n<html>", "web page or XML"),
        (HALF_A_GZIP, "the compressed file ends early or is damaged"),
        (b"ontology: go\n\xff\n", r"x\.obo:2: byte 0xff is not UTF-8"),
        (HEAD, r"no \[Term\] in 0 stanzas"),
        (HEAD + "[Typedef]\nid: part_of\n", r"no \[Term\] in 1 stanzas"),
        (HEAD + "[Term]\nname: x\n", r"x\.obo:3: this \[Term\] has no id"),
        (HEAD + term("GO:1") + term("GO:1"), r"x\.obo:8: term GO:1 is given again \(first at line 4\)"),
        (HEAD + "[Term]\nid: GO:1\nid: GO:2\n", r"x\.obo:5: a second 'id' in the term that starts at line 3"),
        (HEAD + "[Term\nid: GO:1\n", r"x\.obo:3: .* opens a stanza"),
        (HEAD + "[Term]\nid GO:1\n", r"x\.obo:4: 'id GO:1' is not a 'tag: value' line"),
        (HEAD + term("GO:1", "is_a: GO:2 GO:3"), r"x\.obo:7: expected 1 id, found 'GO:2 GO:3'"),
        (HEAD + term("GO:1", "relationship: part_of"), r"x\.obo:7: expected 2 ids, found 'part_of'"),
        (HEAD + term("GO:1", "alt_id: a;b"), r"x\.obo:7: ';' inside the id 'a;b'"),
        (HEAD + term("GO:1", "def: bare"), r"x\.obo:7: the definition is not in double quotes: 'bare'"),
        (HEAD + term("GO:1", "is_obsolete: maybe"), r"x\.obo:7: is_obsolete is neither true nor false"),
        (
            HEAD + term("GO:1", "is_a: GO:2"),
            r"x\.obo:7: 1 relations name a parent .*: GO:1 is_a GO:2; use a",
        ),
        (
            HEAD + term("GO:1", *(f"is_a: GO:{i}" for i in range(2, 9))),
            r"7 relations .* GO:1 is_a GO:6 and 2 more; use",
        ),
        (
            HEAD + term("GO:1", "relationship: part_of GO:2") + term("GO:2", "is_obsolete: true"),
            r"GO:1 part_of GO:2 \(obsolete\)",
        ),
        (
            HEAD + term("GO:1", "is_a: GO:2") + term("GO:2", "relationship: part_of GO:1"),
            r"x\.obo:7: the ontology has a cycle over is_a and part_of: GO:1 -> GO:2 -> GO:1; use the basic",
        ),
        (
            HEAD + term("GO:1", "intersection_of: GO:2") + term("GO:2"),
            r"x\.obo:7: term GO:1 has one 'intersection_of' only; a definition has two parts or more",
        ),
        (
            HEAD + term("GO:1", "union_of: GO:2", "union_of: GO:2") + term("GO:2"),
            r"x\.obo:7: term GO:1 has one 'union_of' only; a union has two parts or more",
        ),
        (HEAD + term("GO:1", "intersection_of: a b c"), r"x\.obo:7: expected 2 ids, found 'a b c'"),
        (HEAD + term("GO:1", "disjoint_from: a b"), r"x\.obo:7: expected 1 id, found 'a b'"),
        (
            HEAD + term("GO:1", "intersection_of: GO:2", "intersection_of: part_of GO:3") + term("GO:2"),
            r"x\.obo:8: 1 logical clauses name a class .*: GO:1 intersection_of part_of GO:3; use a complete",
        ),
        (
            HEAD + term("GO:1", "disjoint_from: GO:2") + term("GO:2", "is_obsolete: true"),
            r"x\.obo:7: .* GO:1 disjoint_from GO:2 \(obsolete\)",
        ),
        (HEAD + term("GO:1", "disjoint_from: GO:1"), r"x\.obo:7: GO:1 names itself in 'disjoint_from'"),
        (HEAD + term("GO:1", "equivalent_to: GO:1"), r"x\.obo:7: GO:1 names itself in 'equivalent_to'"),
        (HEAD + term("GO:1", "is_a: GO:1"), "cycle over is_a and part_of: GO:1 -> GO:1;"),
    ],
)
def test_bad_files_end_in_an_error_that_says_where(tmp_path: Path, content: str | bytes, message: str):
    with pytest.raises(InputError, match=message):
        read_obo(write(tmp_path, content))


def test_missing_file_and_folder(tmp_path: Path):
    with pytest.raises(InputError, match=r"nowhere\.obo: no such file"):
        read_obo(tmp_path / "nowhere.obo")
    with pytest.raises(InputError, match="this is a folder"):
        read_obo(tmp_path)


def test_a_cycle_below_which_other_terms_hang_is_printed_alone(tmp_path: Path):
    text = HEAD + term("GO:0", "is_a: GO:1")
    text += "".join(term(f"GO:{i}", f"is_a: GO:{i % 3 + 1}") for i in (1, 2, 3))
    with pytest.raises(InputError, match="part_of: GO:1 -> GO:2 -> GO:3 -> GO:1;"):
        read_obo(write(tmp_path, text))


def test_a_cycle_over_other_relations_is_allowed(tmp_path: Path):
    text = HEAD + term("GO:1", "relationship: has_part GO:2") + term("GO:2", "is_a: GO:1")
    assert len(read_obo(write(tmp_path, text)).relations) == 2


def test_subset_keeps_what_is_named_and_relations_within(toy: Ontology):
    part = subset(toy, ["GO:1000003", "GO:1000005", "GO:1000002"])
    assert part.terms["term_id"].tolist() == ["GO:1000002", "GO:1000003", "GO:1000005"]
    assert part.relations["relation"].tolist() == ["is_a", "regulates"]
    assert part.data_version == "toy/2024-01-01"
    with pytest.raises(InputError, match="no term GO:4"):
        subset(toy, ["GO:4"])


def test_writing_and_reading_is_the_identity_and_the_bytes_are_stable(tmp_path: Path, toy: Ontology):
    write_obo(toy, tmp_path / "a.obo")
    again = read_obo(tmp_path / "a.obo")
    pd.testing.assert_frame_equal(again.terms, toy.terms)
    pd.testing.assert_frame_equal(again.relations, toy.relations)
    assert again.data_version == toy.data_version
    pd.testing.assert_frame_equal(again.logic, toy.logic)
    shuffled = Ontology(toy.terms[::-1], toy.relations[::-1], toy.data_version, logic=toy.logic[::-1])
    write_obo(shuffled, tmp_path / "b.obo")
    assert (tmp_path / "a.obo").read_bytes() == (tmp_path / "b.obo").read_bytes()


@pytest.mark.parametrize("name", ["toy", "go_plus"])
def test_parse_write_parse_is_the_identity(tmp_path: Path, name: str):
    first = read_obo(DATA / f"{name}.obo")
    write_obo(first, tmp_path / "a.obo")
    again = read_obo(tmp_path / "a.obo")
    for table in ("terms", "relations", "logic"):
        pd.testing.assert_frame_equal(getattr(again, table), getattr(first, table))
    assert (again.data_version, again.unused_clauses) == (first.data_version, {})


LINE_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(LINE_TEXT, min_size=1, max_size=5),
    definition=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=20),
)
def test_any_name_and_definition_survive_writing(tmp_path_factory, names: list[str], definition: str):
    ids = [f"GO:{i}" for i in range(len(names))]
    terms = pd.DataFrame(
        {
            "term_id": ids,
            "name": names,
            "aspect": "BPO",
            "definition": definition,
            "is_obsolete": False,
            "alt_ids": "",
            "replaced_by": "",
        }
    )
    path = tmp_path_factory.mktemp("obo") / "x.obo"
    write_obo(Ontology(terms, pd.DataFrame(columns=["child_id", "relation", "parent_id"], dtype="str")), path)
    pd.testing.assert_frame_equal(read_obo(path).terms, terms)


@pytest.mark.shared
def test_whole_gene_ontology_equals_what_obonet_reads(gene_ontology: Ontology, shared_data: Path):
    import obonet

    graph = obonet.read_obo(shared_data / "go" / "go.obo.gz", ignore_obsolete=False)
    terms = gene_ontology.terms
    assert gene_ontology.data_version == graph.graph["data-version"] == "releases/2022-07-01"
    assert gene_ontology.report()["n_terms_current"] == 43_558
    assert gene_ontology.report()["n_terms_obsolete"] == 3_910
    assert terms["term_id"].tolist() == sorted(graph)
    assert terms["name"].tolist() == [graph.nodes[t]["name"] for t in terms["term_id"]]
    alternatives = [";".join(sorted(graph.nodes[t].get("alt_id", []))) for t in terms["term_id"]]
    assert terms["alt_ids"].tolist() == alternatives
    assert list(gene_ontology.relations.itertuples(index=False, name=None)) == sorted(
        (child, relation, parent) for child, parent, relation in graph.edges(keys=True)
    )


def relations_of(folder: Path, text: str) -> list[list[str]]:
    return read_obo(write(folder, text)).relations.to_numpy().tolist()


@pytest.mark.parametrize(
    ("relation", "typedef"),
    [
        ("part_of", "name: part of"),
        ("BFO:0000050", "name: part of"),
        ("BFO:0000050", "name: is inside"),
        ("http://purl.obolibrary.org/obo/BFO_0000050", "name: part of"),
        ("OBO_REL:part_of", "name: anything"),
        ("inside", "xref: BFO:0000050 ! in the relation ontology"),
        ("inside", "name: part of"),
    ],
)
def test_relations_are_what_their_declaration_says(tmp_path: Path, relation: str, typedef: str):
    body = term("CL:1", f"relationship: {relation} CL:2") + term("CL:2")
    definition = term("CL:3", "intersection_of: CL:2", f"intersection_of: {relation} CL:1")
    text = body + definition + f"\n[Typedef]\nid: {relation}\n{typedef}\n"
    ontology = read_obo(write(tmp_path, text))
    assert ontology.relations.to_numpy().tolist() == [["CL:1", "part_of", "CL:2"]]
    assert ["CL:3", "intersection_of", "part_of", "CL:1"] in ontology.logic.to_numpy().tolist()
    assert [len(ancestor_closure(ontology).ancestors.indices), relation] == [4, relation]  # 3 terms, 1 pair


def test_relations_without_a_standard_meaning_keep_their_ids(tmp_path: Path):
    text = term("X:1", "relationship: near X:2", "relationship: RO:0002212 X:2") + term("X:2")
    text += "\n[Typedef]\nid: near\nname: adjacent to\nxref: RO:0002220\n"
    assert relations_of(tmp_path, text) == [["X:1", "near", "X:2"], ["X:1", "negatively_regulates", "X:2"]]


def test_terms_of_other_ontologies_as_parents_are_left_and_counted(tmp_path: Path):
    clauses = ("is_a: AB:1", "is_a: PATO:7", "relationship: made_by OBI:5", "relationship: part_of AB:1")
    defined = ("intersection_of: AB:1", "intersection_of: has_part CHEBI:4", "disjoint_from: PATO:8")
    imported = term(
        "UO:1", "relationship: part_of UO:2", "relationship: part_of AB:1", "relationship: near UO:1"
    )
    text = "ontology: ab/ab-base\n" + term("AB:1") + term("AB:2", *clauses, *defined) + imported
    ontology = read_obo(write(tmp_path, text))
    assert ontology.relations.to_numpy().tolist() == [
        ["AB:2", "is_a", "AB:1"],
        ["AB:2", "part_of", "AB:1"],
        ["UO:1", "part_of", "AB:1"],
    ]
    assert ontology.logic.empty
    assert ontology.report()["n_clauses_unused"] == {
        "disjoint_from/other ontologies": 1,
        "intersection_of/other ontologies": 2,
        "is_a/other ontologies": 1,
        "relationship/of a term to itself": 1,
        "relationship/other ontologies": 2,
    }
    with pytest.raises(InputError, match=r"1 relations .* AB:2 made_by AB:5; use a complete"):
        read_obo(write(tmp_path, text.replace("OBI:5", "AB:5")))


@pytest.mark.parametrize(
    ("header", "aspect"),
    [
        ("", "AB"),
        ("ontology: ab/subsets/slim\n", "ab"),
        ("ontology: ab\ndefault-namespace: quality\n", "quality"),
    ],
)
def test_terms_without_namespace_are_in_that_of_the_file_or_prefix(tmp_path: Path, header: str, aspect: str):
    terms = read_obo(write(tmp_path, header + term("AB:1") + term("AB:2", "namespace: own"))).terms
    assert terms["aspect"].tolist() == [aspect, "own"]


def test_ambiguous_alternative_ids_are_left_and_counted(tmp_path: Path):
    text = HEAD + term("GO:1", "alt_id: GO:9", "alt_id: GO:8", "alt_id: GO:3")
    text += term("GO:2", "alt_id: GO:9") + term("GO:3", "alt_id: GO:7")
    ontology = read_obo(write(tmp_path, text))
    assert ontology.terms["alt_ids"].tolist() == ["GO:8", "", "GO:7"]
    assert ontology.unused_clauses == {"alt_id/ambiguous": 2}
    assert resolve_ids(pd.Series(["GO:9", "GO:3"]), ontology)["status"].tolist() == ["current", "unknown"]
