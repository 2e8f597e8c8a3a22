"""Any bytes, as an ontology or as axioms, end in tables that add up or in an error that names the file."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.damaged_files import ASCII, check_message, lines_of, soup, spoilt

from protsae.core.errors import InputError
from protsae.ontology.norm_file import norm_text, read_norm
from protsae.ontology.normal_forms import ontology_axioms
from protsae.ontology.obo import read_obo

DATA = Path(__file__).parent / "data"
OBO = (DATA / "toy.obo").read_bytes()
NORM = norm_text(ontology_axioms(read_obo(DATA / "go_plus.obo"))).encode()
CLAUSES = """[Term]|[Term]|[Typedef]|id: a|id: b|namespace: x|is_a: a|is_a: b ! b|relationship: r b {x="y"}
intersection_of: a|intersection_of: r b|union_of: b|disjoint_from: b|alt_id: b|replaced_by: a|name: n
is_obsolete: true|default-namespace: n|def: "x" []|is_metadata_tag: true""".replace("\n", "|").split("|")


def check_obo(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        ontology = read_obo(path)
    except InputError as error:
        check_message(path, error)
        return
    assert len(ontology.terms) == [line.strip() for line in lines_of(content)].count("[Term]")
    known = set(ontology.terms["term_id"])
    obsolete = set(ontology.terms.loc[ontology.terms["is_obsolete"], "term_id"])
    for child, _, parent in ontology.relations.itertuples(index=False, name=None):
        assert child in obsolete or parent in known - obsolete
    ontology_axioms(ontology)


def check_norm(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        axioms, unused = read_norm(path)
    except InputError as error:
        check_message(path, error)
        return
    n_lines = len([line for line in content.splitlines() if line.strip()])
    assert len(axioms) + sum(unused.values()) <= n_lines
    assert (axioms[["c_id", "d_id"]] != "").all(axis=None)


WORDS = ["GO_1", "GO_2", "SubClassOf", "and", "some", "Nothing", " ", " ", "\n", "'"]
CHECKS = {"obo": (check_obo, OBO), "norm": (check_norm, NORM)}


@pytest.mark.parametrize("kind", CHECKS)
@settings(max_examples=100, deadline=None)
@given(content=st.one_of(st.binary(), ASCII, soup(WORDS)))
def test_damaged_ontology_is_read_or_an_error_names_the_file(tmp_path_factory, kind: str, content: bytes):
    CHECKS[kind][0](tmp_path_factory.mktemp("damaged") / "x", content)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(CLAUSES), max_size=16))
def test_clauses_in_any_order(tmp_path_factory, lines: list[str]):
    check_obo(tmp_path_factory.mktemp("clauses") / "x", "\n".join(lines).encode())


@pytest.mark.parametrize("kind", CHECKS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_spoilt_files(tmp_path_factory, kind: str, data: st.DataObject):
    check, sound = CHECKS[kind]
    check(tmp_path_factory.mktemp("spoilt") / "x", data.draw(spoilt(sound)))


@pytest.mark.parametrize("kind", CHECKS)
def test_the_sound_files_are_read(tmp_path: Path, kind: str):
    path = tmp_path / "x"
    path.write_bytes(CHECKS[kind][1])
    assert len(read_obo(path).terms if kind == "obo" else read_norm(path)[0]) == {"obo": 15, "norm": 94}[kind]
