"""Plain tables, UniProt exports and Swiss-Prot files as annotations."""

import gzip
from collections import Counter
from pathlib import Path

import pytest
from tests.annotations.files import write
from tests.sequences.flat_file import dat_record

from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.rows import nested_counts, read_annotations
from protsae.core.errors import InputError
from protsae.sequences.table import SequenceTableConfig, sequence_table


def read(path: Path, **config: object) -> tuple[list[list[object]], dict[str, object]]:
    counts: Counter[str] = Counter()
    rows = read_annotations(path, AnnotationsConfig.model_validate(config), counts)
    return rows.to_numpy().tolist(), nested_counts(counts)


@pytest.mark.parametrize("protein", ["accession", "protein", "Protein_ID", "Entry"])
@pytest.mark.parametrize("term", ["go_id", "GO_ID", "term_id", "Term"])
def test_columns_have_synonyms(tmp_path: Path, protein: str, term: str):
    path = write(tmp_path, f"x\t{term}\tEVIDENCE\t{protein}", "1\tGO:1\tIDA\tP1")
    assert read(path)[0] == [["P1", "GO:1", "IDA", False, ""]]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("accession\tprotein\tgo_id", "names accession twice"),
        ("accession\tgo_id\tterm_id", "names go_id twice"),
        ("protein\tname", "has no column go_id or term_id or term"),
    ],
)
def test_a_header_that_names_a_column_twice_or_not_is_refused(tmp_path: Path, header: str, message: str):
    path = write(tmp_path, header, *["a\tb\tc"[: 2 * header.count("\t") + 1]])
    with pytest.raises(InputError, match=f"annotations:1: the header {message}"):
        read(path)


def test_qualifiers_negate_and_isoforms_are_split_off(tmp_path: Path):
    path = write(
        tmp_path,
        "protein\tqualifier\tterm",
        "P12345\tNOT\tGO:1",
        "P12345-2\tNOT|enables\tGO:1",
        "A0A024R161-11\tenables\tGO:2",
        "my-protein-2\tNOTHING\tGO:2",
        "P12345-x\t\tGO:2",
    )
    rows, counts = read(path)
    assert rows == [
        ["P12345", "GO:1", "", True, ""],
        ["P12345", "GO:1", "", True, "P12345-2"],
        ["A0A024R161", "GO:2", "", False, "A0A024R161-11"],
        ["my-protein-2", "GO:2", "", False, ""],
        ["P12345-x", "GO:2", "", False, ""],
    ]
    assert counts["n_rows_per_qualifier"] == {"NOT": 1, "NOT|enables": 1, "NOTHING": 1, "enables": 1}


def test_a_uniprot_export_gives_a_row_per_entry_and_term(tmp_path: Path):
    path = write(tmp_path, "Entry\tGene Ontology IDs", "P1\tGO:2; GO:1", "P2\t", "P3\t GO:1;", end="\r\n")
    rows, counts = read(path)
    assert [row[:2] for row in rows] == [["P1", "GO:2"], ["P1", "GO:1"], ["P3", "GO:1"]]
    assert (counts["n_entries"], counts["n_entries_without_terms"], counts["n_rows_in_file"]) == (3, 1, 3)


def test_export_with_names_is_read_by_the_ids_in_brackets(tmp_path: Path):
    header = "Entry\tGene Ontology (GO)\tGene Ontology (cellular component)"
    both = "a; b [GO:1]; c [x] [GO:2]"
    rows, counts = read(write(tmp_path, header, f"P1\t{both}\tc [x] [GO:2]", "P2\t\t", "P3\td [GO:3];\t"))
    assert [row[:2] for row in rows] == [["P1", "GO:1"], ["P1", "GO:2"], ["P3", "GO:3"]]
    assert (counts["n_entries"], counts["n_entries_without_terms"]) == (3, 1)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["Entry\tGene Ontology (GO)", "P1\ta [GO:1]; b"],
            "annotations:2: 'a [GO:1]; b' does not end with a term",
        ),
        (
            ["Entry\tSequence", "P1\tMKV"],
            "annotations:1: the header has no column 'Gene Ontology IDs'. Add it under 'Customize columns'",
        ),
        (
            ["Entry\tGene Ontology IDs", "P1\t"],
            "annotations: none of 1 entries has a GO term",
        ),
        (["accession\tgo_id", "P1\tGO:1; GO:2"], "annotations:2: 'GO:1; GO:2' names several. Give one row"),
        (["accession\tgo_id", "P1;P2\tGO:1"], "annotations:2: 'P1;P2' names several"),
        (["Entry\tGene Ontology IDs", "\tGO:1"], "annotations:2: no Entry in this row"),
        (["Entry\tGene Ontology IDs", "P1"], "annotations:2: 1 tab-separated fields where the header has 2"),
        ([dat_record(terms=())], "annotations: none of 1 entries has a GO term"),
        (
            [dat_record(terms=("GO:1; C:x; :UniProtKB",))],
            "annotations:12: 'GO; GO:1; C:x; :UniProtKB' is not",
        ),
    ],
)
def test_errors_name_the_line(tmp_path: Path, lines: list[str], message: str):
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, *lines))
    assert message in str(caught.value)


def test_one_swiss_prot_file_gives_sequences_and_annotations(tmp_path: Path):
    terms = (
        "GO:0005833; C:hemoglobin complex; IDA:UniProtKB",
        "GO:0005506; F:iron; ion binding; IEA:InterPro",
    )
    records = [
        dat_record(terms=terms),
        dat_record("B_HUMAN", "P2; Q9;", "MKV", ()),
        dat_record("C_HUMAN", "P3;", "MKL", ("GO:0003674; F:molecular_function; ND:UniProtKB",)),
    ]
    path = tmp_path / "uniprot_sprot.dat.gz"
    path.write_bytes(gzip.compress("".join(records).encode()))
    rows, counts = read(path)
    assert rows == [["P69905", "GO:0005833", "IDA", False, ""], ["P69905", "GO:0005506", "IEA", False, ""]]
    assert counts["n_rows_in_file"] == 3
    assert counts["n_rows_no_data"] == 1
    assert counts["n_entries_without_terms"] == 1
    assert read(path, evidence="experimental")[0] == rows[:1]
    table, _ = sequence_table(path, SequenceTableConfig())
    assert table["protein_id"].tolist() == ["P2", "P3", "P69905"]
