"""`go.norm`: every form, odd ids, faults with their line, and that nothing is lost on the way."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.core.errors import InputError
from protsae.ontology.norm_file import axioms_of, norm_text, read_norm
from protsae.ontology.normal_forms import axiom_frame, ontology_axioms
from protsae.ontology.obo import Ontology, read_obo

DATA = Path(__file__).parent / "data"
LINES = """\
GO_0000003 and GO_0000004 SubClassOf Nothing
GO_0000001 SubClassOf GO_0000002
GO_0000001 and GO_0000002 SubClassOf GO_0000003
part_of some GO_0000001 SubClassOf GO_0000002
GO_0000001 SubClassOf part_of some GO_0000002
"""
ROWS = [
    ["DISJOINT", "GO:0000003", "GO:0000004", "", ""],
    ["NF1", "GO:0000001", "GO:0000002", "", ""],
    ["NF2", "GO:0000001", "GO:0000002", "GO:0000003", ""],
    ["NF3", "GO:0000001", "GO:0000002", "", "part_of"],
    ["NF4", "GO:0000001", "GO:0000002", "", "part_of"],
]


def write(folder: Path, text: str) -> Path:
    path = folder / "go.norm"
    path.write_text(text)
    return path


def test_every_form_is_read_and_written(tmp_path: Path):
    axioms, unused = read_norm(write(tmp_path, LINES))
    assert unused == {}
    assert axioms.to_numpy().tolist() == ROWS
    assert norm_text(axioms) == LINES


def test_blank_lines_repetitions_and_pair_order_do_not_matter(tmp_path: Path):
    again = "\n\nGO_0000002   and GO_0000001 SubClassOf GO_0000003\n" + LINES.replace("\n", "\r\n")
    assert read_norm(write(tmp_path, again))[0].to_numpy().tolist() == ROWS


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("GO:0000001", "GO_0000001"),
        ("NCBITaxon_Union:0000001", "NCBITaxon_Union_0000001"),
        ("EC:1.1.1.-", "EC_1.1.1.-"),
        ("plain", "plain"),
        ("a:b_c", "a:b_c"),
        ("a_b", "'a_b'"),
        ("some", "'some'"),
        ("Nothing", "'Nothing'"),
        ("owl:Nothing", "'owl:Nothing'"),
        ("'x'", "''x''"),
        ("<x>", "'<x>'"),
        ("_:some_part_of_GO_0000001", "_:some_part_of_GO_0000001"),
    ],
)
def test_ids_and_their_words(tmp_path: Path, name: str, word: str):
    axioms = axiom_frame([("NF1", name, "B:1", "", "")])
    assert norm_text(axioms) == f"{word} SubClassOf B_1\n"
    assert read_norm(write(tmp_path, norm_text(axioms)))[0]["c_id"].tolist() == [name]


@pytest.mark.parametrize(
    "line",
    [
        "GO_1",
        "GO_1 GO_2",
        "GO_1 SubClassOf",
        "SubClassOf GO_1",
        "GO_1 subclassof GO_2",
        "GO_1 and GO_2 and GO_3 SubClassOf GO_4",
        "part_of some GO_1 SubClassOf part_of some GO_2",
        "GO_1 SubClassOf GO_2 and GO_3",
        "GO_1 EquivalentTo GO_2",
    ],
)
def test_other_lines_are_refused_with_their_number(tmp_path: Path, line: str):
    with pytest.raises(InputError, match=r"go\.norm:6: .* is not an axiom in normal form: 'A SubClassOf B'"):
        read_norm(write(tmp_path, LINES + line + "\n"))


def test_a_class_disjoint_from_itself_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"go\.norm:1: GO:1 is disjoint from itself"):
        read_norm(write(tmp_path, "GO_1 and GO_1 SubClassOf owl:Nothing"))
    with pytest.raises(InputError, match=r"go\.norm: the file is empty, no axioms in it"):
        read_norm(write(tmp_path, ""))


def test_lines_of_other_normalisers_are_read_or_counted(tmp_path: Path):
    lines = """GO_3 and GO_4 SubClassOf owl:Nothing
        GO_5 SubClassOf Nothing
        part_of some GO_5 SubClassOf owl_Nothing
        owl:Nothing SubClassOf GO_5
        positively_regulates SubPropertyOf regulates
        part_of o part_of SubPropertyOf part_of
        GO_5 SubClassOf Thing"""
    axioms, unused = read_norm(write(tmp_path, lines))
    assert axioms.to_numpy().tolist() == [
        ["DISJOINT", "GO:3", "GO:4", "", ""],
        ["NF1", "GO:5", "Thing", "", ""],
    ]
    assert unused == {"SubPropertyOf": 2, "empty class": 3}


def test_a_file_without_axioms_is_refused(tmp_path: Path, toy: Ontology):
    with pytest.raises(InputError, match="none of the 0 classes of these axioms"):
        axioms_of(toy, write(tmp_path, "a SubPropertyOf b\n"))


def test_deepgos_reader_tells_the_forms_of_our_file_apart():
    """Its rules: underscores become colons; NF1 by the length of both sides, the others by words in them."""
    axioms = ontology_axioms(read_obo(DATA / "go_plus.obo"))
    told = Counter()
    for line in norm_text(axioms).replace("_", ":").splitlines():
        left, right = line.split(" SubClassOf ")
        if len(left) == len(right) == len("GO:0000001"):
            told["NF1"] += 1
        elif "and" in left:
            first, second = left.split(" and ")
            told["DISJOINT" if right == "Nothing" else "NF2"] += bool(first and second)
        else:
            side, form = (left, "NF3") if "some" in left else (right, "NF4")
            relation, filler = side.split(" some ")
            told[form] += bool(relation and len(filler) == len("GO:0000001"))
    assert told == Counter(axioms["normal_form"])


NAMES = st.text(st.sampled_from("ab:_<'1;,()"), min_size=1, max_size=5) | st.sampled_from(
    ["and", "some", "SubClassOf", "SubPropertyOf", "_:x", "Nothing", "owl:Nothing"]
)
AXIOMS = st.one_of(
    st.tuples(st.just("NF1"), NAMES, NAMES, st.just(""), st.just("")),
    st.tuples(st.just("NF2"), NAMES, NAMES, NAMES, st.just("")),
    st.tuples(st.sampled_from(["NF3", "NF4"]), NAMES, NAMES, st.just(""), NAMES),
    st.tuples(st.just("DISJOINT"), NAMES, NAMES, st.just(""), st.just("")).filter(lambda a: a[1] != a[2]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(AXIOMS, min_size=1, max_size=6).map(axiom_frame).filter(len))
def test_writing_and_reading_is_the_identity(tmp_path_factory, axioms: pd.DataFrame):
    path = write(tmp_path_factory.mktemp("norm"), norm_text(axioms))
    pd.testing.assert_frame_equal(read_norm(path)[0], axioms)
    assert read_norm(path)[1] == {}


def test_the_ontology_gives_the_axioms_unless_a_file_does(tmp_path: Path):
    ontology = read_obo(DATA / "go_plus.obo")
    own, report = axioms_of(ontology, None)
    pd.testing.assert_frame_equal(own, ontology_axioms(ontology))
    assert (report["axioms_from"], report["n_unions_read_one_way"]) == ("ontology", 1)
    path = write(tmp_path, norm_text(own))
    again, same = axioms_of(ontology, path)
    pd.testing.assert_frame_equal(again, own)
    counts = {"n_axioms": report["n_axioms"], "n_axiom_classes_unknown": 0, "n_axiom_lines_unused": {}}
    assert same == {"axioms_from": "go.norm", **counts}


def test_a_file_about_other_terms(tmp_path: Path, toy: Ontology):
    path = write(tmp_path, LINES + "GO_1000002 SubClassOf GO_1000001\n")
    assert axioms_of(toy, path)[1]["n_axiom_classes_unknown"] == 4
    with pytest.raises(InputError, match=r"none of the 4 classes .*GO:0000001, .* is a current term of"):
        axioms_of(toy, write(tmp_path, LINES))
