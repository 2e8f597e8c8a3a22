"""Annotation tables: reading, the fate of every id, the join row by row, and the counts of the full files."""

import gzip
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.ids import resolve_ids
from protsae.annotations.joining import JoinConfig, join_annotations
from protsae.annotations.rows import read_annotations
from protsae.core.errors import InputError
from protsae.ontology.obo import Ontology

SEQUENCES = pd.DataFrame(
    {"protein_id": ["P5", "P4", "P3", "P2", "P1"], "aliases": ["", "P4a;P4b", "P1", "", ""]}
)
LENIENT = JoinConfig(max_unknown_share=0.25)


def table(*rows: tuple[str, str]) -> pd.DataFrame:
    given = pd.DataFrame(rows, columns=["accession", "term_id"], dtype="str")
    return given.assign(is_not=False, isoform_id="")


def test_columns_are_found_by_name_and_blank_lines_skipped(tmp_path: Path):
    path = tmp_path / "x.tsv"
    path.write_bytes(gzip.compress(b"\ngo_id\tnote\taccession\r\n\r\nGO:1\t\t P1 \r\nGO:2\tx\tP2"))
    assert read_annotations(path, AnnotationsConfig())[["accession", "term_id"]].to_numpy().tolist() == [
        ["P1", "GO:1"],
        ["P2", "GO:2"],
    ]


@pytest.mark.parametrize(
    "text",
    [
        "EntryID\tterm\taspect\nP69905\tGO:0000001\tBPO\nP69905\tGO:0000002\tBPO\n",
        "term\taspect\tentryid\nGO:0000001\tF\tsp|P69905|HBA_HUMAN\nGO:0000002\tF\tP69905.2\n",
        '"go_id"\t"accession"\n"GO:0000001"\t"SP|P69905|HBA_HUMAN"\n"GO:0000002"\t"UniRef50_P69905"\n',
        "Entry\tEntry name\tGene ontology IDs\nP69905\tHBA_HUMAN\tGO:0000001; GO:0000002\n",
        "Gene ontology (GO)\tEntry\nsome; name [GO:0000001]; other [GO:0000002]\tP69905\n",
        '"Entry"\t"Gene Ontology (GO)"\n"P69905"\t"some ""x"" [GO:0000001]; other [GO:0000002]"\n',
    ],
)
def test_tables_of_other_sources_give_the_same_rows(tmp_path: Path, text: str):
    (tmp_path / "x.tsv").write_text(text)
    rows = read_annotations(tmp_path / "x.tsv", AnnotationsConfig())
    assert rows[["accession", "term_id"]].to_numpy().tolist() == [
        ["P69905", "GO:0000001"],
        ["P69905", "GO:0000002"],
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "x.tsv: the file is empty, no annotations in it"),
        ("\u2003\n", "x.tsv: the file is empty"),
        ("<html>", "web page or XML, not annotations"),
        (
            "P1\tGO:1\n",
            r"x.tsv:1: the header has no column accession.*found 'P1, GO:1'\. Name both",
        ),
        ("\naccession go_id\n", "x.tsv:2: the header has no column accession"),
        ("accession\tgo_id\tgo_id\n", "x.tsv:1: the header names go_id twice"),
        ("accession\tgo_id\n\n", "x.tsv: a header and no annotations below it"),
        (
            "accession\tgo_id\nP1\tGO:1\n\nP2 GO:2\n",
            "x.tsv:4: 1 tab-separated fields where the header has 2: 'P2 GO:2'",
        ),
        ("accession\tgo_id\nP1\tGO:1\tx\n", "x.tsv:2: 3 tab-separated fields where the header has 2"),
        ("accession\tgo_id\nP1\tGO:1\n\nP1\t \n", "x.tsv:4: no go_id in this row"),
        ("accession\tgo_id\n\tGO:1\n", "x.tsv:2: no accession in this row"),
    ],
)
def test_bad_tables_end_in_an_error_that_says_where(tmp_path: Path, content: str, message: str):
    path = tmp_path / "x.tsv"
    path.write_bytes(content.encode())
    with pytest.raises(InputError, match=message):
        read_annotations(path, AnnotationsConfig())


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(), st.text(alphabet="ab\t\n\r \x1c\x85").map(lambda t: b"accession\tgo_id\n" + t.encode())
    )
)
def test_damaged_table_is_read_or_an_error_names_the_file(tmp_path_factory, content: bytes):
    path = tmp_path_factory.mktemp("tsv") / "x.tsv"
    path.write_bytes(content)
    try:
        annotations = read_annotations(path, AnnotationsConfig())
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert (
            len(annotations) == sum(bool(line.strip()) for line in content.decode().split("\n")) - 1
            or b"\r" in content
        )
        assert (annotations[["accession", "term_id"]] != "").all(axis=None)


def test_every_id_has_its_fate(toy: Ontology):
    ids = ["GO:1000003", "GO:1000093", "GO:9000001", "GO:9000002", "GO:9000003", "GO:9000093", "GO:9000004"]
    ids += ["GO:9000006", "GO:7777777", "GO:1000003"]
    assert resolve_ids(pd.Series(ids, dtype="str"), toy).to_numpy().tolist() == [
        ["GO:1000003", "current", "GO:1000003", 2],
        ["GO:1000093", "alternative", "GO:1000003", 1],
        ["GO:7777777", "unknown", "", 1],
        ["GO:9000001", "replaced", "GO:1000003", 1],  # by an obsolete term, that by an alternative id
        ["GO:9000002", "replaced", "GO:1000003", 1],
        ["GO:9000003", "obsolete", "", 1],
        ["GO:9000004", "obsolete", "", 1],  # replaced in a circle
        ["GO:9000006", "obsolete", "", 1],  # two successors: not ours to choose
        ["GO:9000093", "obsolete", "", 1],  # alternative id of an obsolete term
    ]


def test_missing_successor_leaves_the_id_obsolete(toy: Ontology):
    terms = toy.terms.assign(replaced_by=toy.terms["replaced_by"].replace("GO:9000002", "GO:5555555"))
    fates = resolve_ids(pd.Series(["GO:9000001"], dtype="str"), Ontology(terms, toy.relations))
    assert fates.to_numpy().tolist() == [["GO:9000001", "obsolete", "", 1]]


def test_toy_join_is_exactly_this(toy: Ontology, toy_annotations: Path):
    joined = join_annotations(
        read_annotations(toy_annotations, AnnotationsConfig()), SEQUENCES, toy, "cafa", LENIENT
    )
    assert joined.protein_concepts.to_numpy().tolist() == [
        ["P1", "GO:1000002", False],
        ["P1", "GO:1000003", True],
        ["P2", "GO:1000002", False],
        ["P2", "GO:1000003", True],
        ["P2", "GO:1000004", True],
        ["P3", "GO:1000005", True],
        ["P4", "GO:2000002", True],
    ]
    assert joined.report == {
        "preset": "cafa",
        "n_rows": 13,
        "n_rows_inherited": 0,
        "n_rows_current": 8,
        "n_rows_alternative": 1,
        "n_rows_replaced": 1,
        "n_rows_obsolete": 2,
        "n_rows_unknown": 1,
        "n_rows_gone": 3,
        "n_rows_of_other_proteins": 1,
        "n_rows_not": 0,
        "n_rows_of_roots": 2,
        "n_rows_repeated": 2,
        "n_pairs_contradicted": 0,
        "n_pairs_direct": 5,
        "n_pairs_propagated": 7,
        "ids_gone": {"n": 3, "first": ["GO:7777777", "GO:9000003", "GO:9000004"]},
        "n_rows_per_accession_status": {"alias": 1, "other": 1, "protein": 11},
        "accessions_of_other_proteins": {"n": 1, "first": ["P9"]},
        "n_proteins": 5,
        "n_proteins_annotated": 4,
        "n_proteins_without_annotation": 1,
        "n_proteins_annotated_per_aspect": {"BPO": 3, "MFO": 1},
        "warnings": [],
    }


def test_relations_that_the_preset_does_not_find_are_in_the_report(toy: Ontology, toy_annotations: Path):
    relations = toy.relations.assign(relation=toy.relations["relation"].replace("part_of", "inside"))
    rows = read_annotations(toy_annotations, AnnotationsConfig())
    joined = join_annotations(rows, SEQUENCES, Ontology(toy.terms, relations), "cafa", LENIENT)
    (warning,) = joined.report["warnings"]
    assert "the ontology has no part_of, but inside (2)" in warning


def test_deepgo_propagates_along_every_relation(toy: Ontology, toy_annotations: Path):
    joined = join_annotations(
        read_annotations(toy_annotations, AnnotationsConfig()), SEQUENCES, toy, "deepgo", LENIENT
    )
    pairs = joined.protein_concepts
    assert pairs[pairs["protein_id"].isin(["P3", "P4"])].to_numpy().tolist() == [
        ["P3", "GO:1000002", False],
        ["P3", "GO:1000003", False],
        ["P3", "GO:1000005", True],
        ["P4", "GO:1000002", False],
        ["P4", "GO:2000002", True],
    ]


def test_order_of_rows_and_proteins_changes_nothing(toy: Ontology, toy_annotations: Path):
    annotations = read_annotations(toy_annotations, AnnotationsConfig())
    one = join_annotations(annotations, SEQUENCES, toy, "cafa", LENIENT)
    other = join_annotations(annotations[::-1], SEQUENCES[::-1], toy, "cafa", LENIENT)
    pd.testing.assert_frame_equal(one.protein_concepts, other.protein_concepts)
    pd.testing.assert_frame_equal(one.annotation_ids, other.annotation_ids)
    assert one.report == other.report


def test_too_many_gone_ids_stop_with_cause_and_parameter(toy: Ontology, toy_annotations: Path):
    with pytest.raises(InputError) as caught:
        join_annotations(
            read_annotations(toy_annotations, AnnotationsConfig()), SEQUENCES, toy, "cafa", JoinConfig()
        )
    message = str(caught.value)
    assert "3 of 13 annotation rows (23.1%)" in message
    assert "unknown (1) or obsolete (2), such as GO:7777777, GO:9000003, GO:9000004" in message
    assert "the ontology (toy/2024-01-01) is newer than the annotations" in message
    assert message.endswith("annotation.join.max_unknown_share=0.231")
    accepted = JoinConfig(max_unknown_share=0.231)
    assert len(
        join_annotations(
            read_annotations(toy_annotations, AnnotationsConfig()), SEQUENCES, toy, "cafa", accepted
        ).report
    )


def test_unknown_ids_point_to_an_older_ontology(toy: Ontology):
    with pytest.raises(InputError, match="is older than the annotations, cut down, or another ontology"):
        join_annotations(table(("P1", "EC:1.1"), ("P1", "GO:1000003")), SEQUENCES, toy, "cafa", JoinConfig())


def test_ids_of_other_proteins_only_show_examples_of_both_sides(toy: Ontology):
    rows = [(f"sp|P{i}|X", "GO:1000003") for i in range(1, 6)]
    with pytest.raises(
        InputError, match=r"none of the 5 .* as sp\|P1\|X, sp\|P2\|X, sp\|P3\|X; .* as P1, P2, P3\."
    ):
        join_annotations(table(*rows), SEQUENCES, toy, "cafa", JoinConfig())


def test_roots_alone_leave_nothing(toy: Ontology):
    with pytest.raises(
        InputError, match=r"no annotation is left after the join: n_rows 1, .*n_rows_of_roots 1"
    ):
        join_annotations(table(("P1", "GO:1000001")), SEQUENCES, toy, "cafa", JoinConfig())


@pytest.mark.shared
def test_counts_of_the_full_files(gene_ontology: Ontology, shared_data: Path):
    folder = shared_data / "swissprot_go"
    clusters = pd.read_csv(folder / "clusters.tsv.gz", sep="\t", dtype="str")
    sequences = pd.DataFrame({"protein_id": clusters.iloc[:, 0], "aliases": ""})
    started = time.process_time()
    joined = join_annotations(
        read_annotations(folder / "annotations.tsv.gz", AnnotationsConfig()),
        sequences,
        gene_ontology,
        "cafa",
        JoinConfig(),
    )
    assert time.process_time() - started < 60
    report = joined.report
    assert report["n_rows"] == 1_018_161
    assert report["n_rows_current"] == 972_120
    assert report["n_rows_alternative"] == 23_853
    assert report["n_rows_gone"] == 22_188
    lost = ("gone", "of_other_proteins", "of_roots", "repeated")
    assert sum(report[f"n_rows_{name}"] for name in lost) + report["n_pairs_direct"] == report["n_rows"]
