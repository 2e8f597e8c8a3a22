"""Isoforms and NOT: whose a row is, and what it takes away; by hand, and against a slow reference."""

import networkx as nx
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.toy_ontology import DATA

from protsae.annotations.joining import JoinConfig, JoinedAnnotations, join_annotations
from protsae.annotations.owners import resolve_accessions
from protsae.core.errors import InputError
from protsae.ontology.obo import Ontology, read_obo

LENIENT = JoinConfig(max_unknown_share=1)


def frame(*rows: tuple[str, str, bool, str]) -> pd.DataFrame:
    columns = ["accession", "term_id", "is_not", "isoform_id"]
    kinds = {"accession": "str", "term_id": "str", "is_not": "bool", "isoform_id": "str"}
    return pd.DataFrame(list(rows), columns=columns).astype(kinds)


def proteins(*ids: str, **aliases: str) -> pd.DataFrame:
    given = {"protein_id": list(ids), "aliases": [aliases.get(name, "") for name in ids]}
    return pd.DataFrame(given, dtype="str")


NAMED = frame(
    ("P1", "GO:1000003", False, ""),
    ("P1", "GO:1000004", False, "P1-2"),
    ("P2", "GO:1000005", False, "P2-3"),
    ("P4", "GO:1000003", False, ""),
    ("B", "GO:1000003", False, ""),
    ("P9", "GO:1000003", False, "P9-1"),
    ("P1", "GO:1000003", False, ""),
)
AT_HAND = proteins("P1", "P1-2", "P1-3", "P2", "P4-1", "A", A="B;C")


@pytest.mark.parametrize(
    ("isoforms", "expected"),
    [
        (
            "canonical",
            [
                ["B", "alias", "A", 1],
                ["P1", "protein", "P1", 2],
                ["P1-2", "protein", "P1-2", 1],
                ["P2-3", "isoform", "P2", 1],
                ["P4", "other", "", 1],
                ["P9-1", "other", "", 1],
            ],
        ),
        (
            "inherit",
            [
                ["B", "alias", "A", 1],
                ["P1", "protein", "P1;P1-3", 2],  # P1-2 has a row of its own
                ["P1-2", "protein", "P1-2", 1],
                ["P2-3", "isoform", "P2", 1],
                ["P4", "isoform", "P4-1", 1],
                ["P9-1", "other", "", 1],
            ],
        ),
    ],
)
def test_every_name_has_its_fate(isoforms: str, expected: list[list[object]]):
    assert resolve_accessions(NAMED, AT_HAND, isoforms).to_numpy().tolist() == expected


def direct(joined: JoinedAnnotations) -> list[list[str]]:
    pairs = joined.protein_concepts
    return pairs.loc[pairs["is_direct"], ["protein_id", "concept_id"]].to_numpy().tolist()


def check_sum(report: dict[str, object]) -> None:
    lost = ("rows_gone", "rows_of_other_proteins", "rows_not", "rows_of_roots", "rows_repeated")
    parts = (*lost, "pairs_contradicted", "pairs_direct")
    assert sum(report[f"n_{name}"] for name in parts) == report["n_rows"] + report["n_rows_inherited"]


def test_rows_go_to_isoforms_or_fall_back_and_isoforms_may_inherit(toy: Ontology):
    canonical = join_annotations(NAMED, AT_HAND, toy, "cafa", LENIENT)
    expected = [["A", "GO:1000003"], ["P1", "GO:1000003"], ["P1-2", "GO:1000004"], ["P2", "GO:1000005"]]
    assert direct(canonical) == expected
    assert canonical.report["n_rows_of_other_proteins"] == 2
    inherit = join_annotations(NAMED, AT_HAND, toy, "cafa", LENIENT, "inherit")
    assert direct(inherit) == sorted([*expected, ["P1-3", "GO:1000003"], ["P4-1", "GO:1000003"]])
    assert inherit.report["n_rows_inherited"] == 2
    for joined in (canonical, inherit):
        check_sum(joined.report)
        assert joined.annotation_accessions["n_rows"].sum() == len(NAMED)


def test_not_takes_the_term_and_what_is_below_it_away(toy: Ontology):
    # GO:1000003 and GO:1000004 are below GO:1000002; see tests/ontology/data/toy.obo.
    rows = frame(
        ("P1", "GO:1000003", False, ""),
        ("P1", "GO:1000002", True, ""),
        ("P2", "GO:1000002", False, ""),
        ("P2", "GO:1000003", False, ""),
        ("P2", "GO:1000003", True, ""),
        ("P2", "GO:1000003", True, ""),
        ("P3", "GO:1000003", False, ""),
        ("P3", "GO:1000004", True, "P3-2"),  # of an isoform that is not at hand
        ("P4", "GO:1000093", True, ""),  # alternative id of GO:1000003
        ("P4", "GO:1000003", False, ""),
        ("P4", "GO:1000005", False, ""),
    )
    joined = join_annotations(rows, proteins("P1", "P2", "P3", "P4"), toy, "cafa", LENIENT)
    assert direct(joined) == [["P2", "GO:1000002"], ["P3", "GO:1000003"], ["P4", "GO:1000005"]]
    assert joined.report["n_pairs_contradicted"] == 3
    assert joined.report["n_rows_not"] == 4
    assert joined.report["n_rows_of_other_proteins"] == 1
    check_sum(joined.report)


TOY = read_obo(DATA / "toy.obo")
TERMS = TOY.terms.loc[~TOY.terms["is_obsolete"], "term_id"].tolist()
GRAPH = nx.DiGraph(
    [
        (row.child_id, row.parent_id)
        for row in TOY.relations.itertuples()
        if {row.child_id, row.parent_id} <= set(TERMS)
    ]
)
GRAPH.add_nodes_from(TERMS)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["P1", "P2"]),
            st.sampled_from(TERMS),
            st.booleans(),
            st.sampled_from(["", "", "P1-2"]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(["canonical", "inherit"]),
)
def test_join_equals_a_slow_reference(rows: list[tuple[str, str, bool, str]], isoforms: str):
    rows = [(a, t, n, i if a == "P1" else "") for a, t, n, i in rows]
    ids = ["P1", "P1-2", "P1-3", "P2"]
    stated = {name: set() for name in ids}
    negated = {name: set() for name in ids}
    named = {i or a for a, _, _, i in rows}
    for accession, term, is_not, isoform in rows:
        owners = [isoform or accession]
        if isoforms == "inherit" and not isoform:
            owners += [i for i in ids if i.startswith(accession + "-") and i not in named]
        for owner in owners:
            (negated if is_not else stated)[owner].add(term)
    roots = {t for t in TERMS if not GRAPH.out_degree(t) and GRAPH.in_degree(t)}
    above = {t: nx.descendants(GRAPH, t) | {t} for t in TERMS}
    expected = {
        (name, upper)
        for name in ids
        for term in stated[name] - roots
        if not above[term] & negated[name]
        for upper in above[term] - roots
    }
    try:
        joined = join_annotations(frame(*rows), proteins(*ids), TOY, "deepgo", LENIENT, isoforms)
    except InputError as error:
        assert "no annotation is left" in str(error)
        assert not expected
        return
    pairs = joined.protein_concepts
    assert set(zip(pairs["protein_id"], pairs["concept_id"], strict=True)) == expected
    assert not {(p, t) for p in ids for t in negated[p]} & expected
    check_sum(joined.report)


def test_too_few_annotated_proteins_stop_with_cause_and_parameter(toy: Ontology):
    rows = frame(("P1", "GO:1000003", False, ""), *[(f"Q{n}", "GO:1000003", False, "") for n in range(5)])
    at_hand = proteins("P1", *[f"R{n}" for n in range(6)])
    report = join_annotations(rows, at_hand, toy, "cafa", JoinConfig()).report
    warning = "1 of 7 proteins (14.3%) have an annotation. Likely the annotations are of other proteins"
    assert report["warnings"] == [warning]
    with pytest.raises(InputError) as caught:
        join_annotations(rows, at_hand, toy, "cafa", JoinConfig(min_annotated_share=0.2))
    assert str(caught.value).startswith(warning)
    assert str(caught.value).endswith("annotation.join.min_annotated_share=0.142")
    assert (
        join_annotations(rows, at_hand, toy, "cafa", JoinConfig(min_annotated_share=0.142)).report == report
    )
