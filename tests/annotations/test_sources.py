"""Tables of one's own, binding sites, and how sources are joined."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.annotations.binding import read_binding_sites
from protsae.annotations.reading import SourceFiles, read_sources
from protsae.annotations.sources import SourcedConcepts, SourcesConfig, join_sources, with_source_axioms
from protsae.annotations.tables import read_concept_table
from protsae.core.errors import InputError

SEQUENCES = pd.DataFrame(
    {
        "protein_id": ["P1", "P2", "P3"],
        "aliases": ["P1a;P1b", "", "P2"],
        "sequence": ["ARGDA", "AAAAAAA", "RGD"],
        "length": [5, 7, 3],
    }
)


def file(tmp_path: Path, text: str, name: str = "x.tsv") -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def join(*sources, **settings: object) -> SourcedConcepts:
    return join_sources(sources, SEQUENCES, SourcesConfig.model_validate(settings))


def rows(table: pd.DataFrame) -> list[list[object]]:
    return table.to_numpy().tolist()


def test_a_table_of_whole_proteins_propagates_to_parents(tmp_path: Path):
    table = file(
        tmp_path, "Protein\tconcept\tname\nP1b\tEC:1.1\tfirst\nP2\tEC:1\t\nP9\tEC:1\t\nP1\tEC:1.1\t\n"
    )
    parents = file(tmp_path, "concept\tparent\tname\nEC:1.1\tEC:1\t\nEC:1\t\tall\n", "parents.tsv")
    source = read_concept_table("EC", table, parents)
    assert rows(source.terms[["term_id", "name", "aspect", "level"]]) == [
        ["EC:1", "all", "EC", "protein"],
        ["EC:1.1", "first", "EC", "protein"],
    ]
    found = join(source)
    assert rows(found.protein_concepts) == [
        ["P1", "EC:1", False],
        ["P1", "EC:1.1", True],
        ["P2", "EC:1", True],
    ]
    assert rows(found.labelled) == [["P1", "EC"], ["P2", "EC"]]
    assert found.report["EC"]["n_rows"] == 4
    assert rows(found.ids[["accession", "status", "n_rows"]]) == [
        ["P1", "at hand", 1],
        ["P1b", "at hand", 1],
        ["P2", "at hand", 1],
        ["P9", "not among the sequences", 1],
    ]


def test_a_table_with_positions_is_of_residues(tmp_path: Path):
    table = file(
        tmp_path,
        "accession\tconcept_id\tstart\tend\nP1\tdom:a\t1\t3\nP1\tdom:b\t3\t5\nP2\tdom:a\t7\t7\nP3\twhole\t\t\n",
    )
    parents = file(tmp_path, "concept_id\tparent_id\ndom:a\tdom\ndom:b\tdom\nwhole\t\n", "parents.tsv")
    found = join(read_concept_table("domains", table, parents))
    assert dict(zip(found.terms["term_id"], found.terms["level"], strict=True)) == {
        "dom": "residue",
        "dom:a": "residue",
        "dom:b": "residue",
        "whole": "protein",
    }
    assert rows(found.residue_concepts) == [
        ["P1", "dom", 0, 0, 3],
        ["P1", "dom", 1, 2, 5],
        ["P1", "dom:a", 0, 0, 3],
        ["P1", "dom:b", 0, 2, 5],
        ["P2", "dom", 0, 6, 7],
        ["P2", "dom:a", 0, 6, 7],
    ]
    assert ["P3", "whole", True] in rows(found.protein_concepts)
    assert ["P2", "dom", False] in rows(found.protein_concepts)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("accession\tterm\nP1\n", r"x.tsv:2: 1 tab-separated fields where the header has 2"),
        ("accession\tother\nP1\tx\n", r"x.tsv:1: the header has no column concept_id or concept"),
        ("accession\tterm\tconcept\nP1\tx\ty\n", r"x.tsv:1: the header names concept_id twice"),
        ("accession\tterm\nP1\t\n", r"x.tsv:2: no term in this row"),
        ("accession\tterm\n", r"x.tsv: a header and no concepts below it"),
        ("accession\tterm\tstart\tend\nP1\tx\t0\t3\n", r"x.tsv:2: start is '0', not a 1-based position"),
        ("accession\tterm\tstart\tend\nP1\tx\t4\t3\n", r"x.tsv:2: start 4 is after end 3"),
        ("accession\tterm\tstart\nP1\tx\t4\n", r"x.tsv:2: end is '', not a 1-based position"),
        (
            "accession\tterm\tname\nP1\tx\ta\nP1\tx\tb\n",
            r"x.tsv:3: concept 'x' is called \('b', ''\), and above",
        ),
    ],
)
def test_faults_of_a_table_are_named_with_their_line(tmp_path: Path, table: str, message: str):
    with pytest.raises(InputError, match=message):
        read_concept_table("t", file(tmp_path, table), None)


def test_rows_that_cannot_be_used_are_counted_and_too_many_stop(tmp_path: Path):
    table = file(tmp_path, "accession\tterm\tstart\tend\nP1\tx\t1\t9\nP2\tx\t1\t2\nP2\tx\t\t\n")
    source = read_concept_table("t", table, None)
    with pytest.raises(InputError, match=r"t: 1 of 3 rows cannot be used \(n_skipped_without_position 1\)"):
        join(source)
    with pytest.raises(InputError, match=r"t: 1 of 2 spans cannot be used \(n_spans_outside_sequence 1\)"):
        join(source, max_skipped_share=0.4)
    found = join(source, max_skipped_share=0.5)
    assert rows(found.residue_concepts) == [["P2", "x", 0, 0, 2]]
    assert found.report["t"]["n_spans_outside_sequence"] == 1


def test_rows_of_other_proteins_do_not_hide_invalid_positions(tmp_path: Path):
    others = "".join(f"Q{i}\tx\t1\t2\n" for i in range(100))
    table = file(tmp_path, "accession\tterm\tstart\tend\nP1\tx\t1\t9\n" + others)
    with pytest.raises(InputError, match=r"t: 1 of 1 spans cannot be used"):
        join(read_concept_table("t", table, None))


def test_a_concept_without_parents_needs_no_row_among_the_parents(tmp_path: Path):
    table = file(tmp_path, "accession\tterm\tstart\tend\nP1\ta\t\t\nP2\tb\t\t\nP1\tc\t1\t2\n")
    parents = file(tmp_path, "term\tparent\na\troot\n", "parents.tsv")
    source = read_concept_table("t", table, parents)
    assert source.counts["n_concepts_without_parent_entry"] == 2
    found = join(source)
    assert rows(found.protein_concepts[["protein_id", "concept_id"]]) == [
        ["P1", "a"],
        ["P1", "c"],
        ["P1", "root"],
        ["P2", "b"],
    ]
    assert rows(found.residue_concepts) == [["P1", "c", 0, 0, 2]]


def test_parents_of_other_concepts_are_refused(tmp_path: Path):
    table = file(tmp_path, "accession\tterm\nP1\ta\n")
    parents = file(tmp_path, "term\tparent\nx\ty\n", "parents.tsv")
    with pytest.raises(
        InputError, match=r"parents.tsv: none of its concepts \(such as x\) is in .*such as a"
    ):
        read_concept_table("t", table, parents)


def test_parents_that_form_a_cycle_are_refused(tmp_path: Path):
    table = file(tmp_path, "accession\tterm\nP1\ta\n")
    parents = file(tmp_path, "term\tparent\na\tb\nb\tc\nc\tb\n", "parents.tsv")
    with pytest.raises(InputError, match="the parents of b form a cycle"):
        join(read_concept_table("t", table, parents))
    itself = file(tmp_path, "term\tparent\na\ta\n", "parents.tsv")
    with pytest.raises(InputError, match=r"parents.tsv:2: 'a' is its own parent"):
        read_concept_table("t", table, itself)


def test_a_concept_of_whole_proteins_above_one_of_residues_is_refused(tmp_path: Path):
    table = file(tmp_path, "accession\tterm\tstart\tend\nP1\ta\t1\t2\nP2\tb\t\t\n")
    parents = file(tmp_path, "term\tparent\na\tb\n", "parents.tsv")
    with pytest.raises(InputError, match="'b' has rows without positions, and concepts with positions below"):
        read_concept_table("t", table, parents)


def test_parents_need_a_table_of_the_same_name(tmp_path: Path):
    files = SourceFiles({}, {"EC": tmp_path / "p.tsv"}, None, {}, None, None)
    with pytest.raises(InputError, match=r"raw_concept_parents names 'EC'.*\(tables: none\)"):
        read_sources(files, SEQUENCES, SourcesConfig())


def test_binding_sites_of_several_classes_are_one_aspect(tmp_path: Path):
    metal = file(tmp_path, "P1\t3,1,3\nQ9\t4\n", "metal.txt")
    nucleic = file(tmp_path, "P2\t7\n\n", "nucleic.txt")
    found = join(read_binding_sites({"metal": metal, "nucleic acid": nucleic}))
    assert rows(found.residue_concepts) == [
        ["P1", "binding:metal", 0, 0, 1],
        ["P1", "binding:metal", 0, 2, 3],
        ["P2", "binding:nucleic_acid", 0, 6, 7],
    ]
    assert rows(found.labelled) == [["P1", "binding"], ["P2", "binding"]]  # P1 binds no nucleic acid


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("P1\t3;4\n", r"m.txt:1: '3;4' is not a 1-based position"),
        ("P1\t0\n", r"m.txt:1: '0' is not a 1-based position"),
        ("P1 3\n", r"m.txt:1: expected accession<TAB>positions"),
        ("P1\t3\nP1\t4\n", r"m.txt:2: 'P1' is already in line 1"),
    ],
)
def test_faults_of_binding_sites_are_named(tmp_path: Path, text: str, message: str):
    with pytest.raises(InputError, match=message):
        read_binding_sites({"metal": file(tmp_path, text, "m.txt")})


def test_a_source_without_any_protein_at_hand_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"t: none of its 1 proteins \(such as Q1\) .*\(such as P1\)"):
        join(read_concept_table("t", file(tmp_path, "accession\tterm\nQ1\ta\n"), None))


def test_one_id_of_two_sources_is_refused(tmp_path: Path):
    table = file(tmp_path, "accession\tterm\nP1\ta\n")
    with pytest.raises(InputError, match="concept id a has two definitions"):
        join(read_concept_table("t", table, None), read_concept_table("u", table, None))


def test_motifs_label_every_protein(tmp_path: Path):
    motifs = file(tmp_path, "id\tname\tpattern\treference\nmotif:rgd\tRGD\tR-G-D\ta paper\n")
    (source,) = read_sources(SourceFiles({}, {}, None, {}, motifs, None), SEQUENCES, SourcesConfig())
    found = join(source)
    assert rows(found.residue_concepts) == [["P1", "motif:rgd", 0, 1, 4], ["P3", "motif:rgd", 0, 0, 3]]
    assert rows(found.labelled) == [["P1", "motif"], ["P2", "motif"], ["P3", "motif"]]
    assert found.terms["definition"].tolist() == ["Sequence motif R-G-D. a paper"]


def test_hierarchies_of_sources_become_axioms():
    axioms = pd.DataFrame(
        [("NF4", "A", "B", "", "part_of")], columns=["normal_form", "c_id", "d_id", "e_id", "relation_name"]
    )
    relations = pd.DataFrame([("x", "is_a", "y")], columns=["child_id", "relation", "parent_id"])
    assert rows(with_source_axioms(axioms, relations)) == [
        ["NF4", "A", "B", "", "part_of"],
        ["NF1", "x", "y", "", ""],
    ]
    pd.testing.assert_frame_equal(with_source_axioms(axioms, relations[:0]), axioms)


TEXTS = st.text(alphabet="P1\t\n,x03 ", max_size=60) | st.text(max_size=30)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.booleans())
def test_any_text_as_table_or_sites_is_read_or_refused(tmp_path_factory, text: str, header: bool):
    path = tmp_path_factory.mktemp("x") / "x.tsv"
    path.write_bytes((("accession\tterm\tstart\tend\n" if header else "") + text).encode())
    for read in (lambda: read_concept_table("t", path, None), lambda: read_binding_sites({"t": path})):
        try:
            source = read()
        except InputError as error:
            assert "x.tsv" in str(error)
        else:
            assert len(source.listed)


def test_binding_sites_may_be_quoted_as_r_writes_them(tmp_path):
    path = tmp_path / "metal.txt"
    path.write_text('"P1"\t"2,3"\n"P2"\t"1"\n')
    spans = read_binding_sites({"metal": path}).spans
    assert spans[["accession", "end"]].to_numpy().tolist() == [["P1", 2], ["P1", 3], ["P2", 1]]
