"""GAF and GPAD: the traps of the format, one by one."""

import gzip
from collections import Counter
from pathlib import Path

import pytest
from tests.annotations.files import gaf_line, write

from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.rows import nested_counts, read_annotations
from protsae.core.errors import InputError

V21, V22 = "!gaf-version: 2.1", "!gaf-version: 2.2"


def read(path: Path, **config) -> tuple[list[list[object]], dict[str, object]]:
    counts: Counter[str] = Counter()
    rows = read_annotations(path, AnnotationsConfig.model_validate(config), counts)
    assert list(rows.columns) == ["accession", "term_id", "evidence", "is_not", "isoform_id"]
    assert [str(kind) for kind in rows.dtypes] == ["str", "str", "category", "bool", "str"]
    return rows.to_numpy().tolist(), nested_counts(counts)


def test_every_line_of_a_file_is_a_row_or_counted(tmp_path: Path):
    path = write(
        tmp_path,
        V22,
        "!Generated: 2024-01-01",
        gaf_line(),
        gaf_line(c2="P2", c4="NOT|enables", c7="IPI"),
        gaf_line(c2="P3", c4="contributes_to", c7="IEA", c17="UniProtKB:P3-2"),
        gaf_line(c2="P3", c17="UniProtKB:P3:PRO_0000012345"),
        gaf_line(c2="P4", c5="GO:0003674", c7="ND"),
        gaf_line(c1="RNAcentral", c2="URS00_9606", c12="miRNA"),
        "",
        gaf_line(c1="ComplexPortal", c2="CPX-1", c4="part_of", c9="C"),
        gaf_line(c2="P5", c7="XYZ"),
    )
    rows, counts = read(path)
    assert rows == [
        ["P1", "GO:1000003", "IDA", False, ""],
        ["P2", "GO:1000003", "IPI", True, ""],
        ["P3", "GO:1000003", "IEA", False, "P3-2"],
        ["P3", "GO:1000003", "IDA", False, ""],
        ["P5", "GO:1000003", "XYZ", False, ""],
    ]
    assert counts == {
        "format": {"gaf": 1},
        "gaf_version": {"2.2": 1},
        "n_rows_in_file": 8,
        "n_rows_no_data": 1,
        "n_rows_of_other_databases": 2,
        "n_rows_of_other_evidence": 0,
        "n_rows_of_other_forms": 1,
        "n_rows_of_unknown_evidence": 1,
        "n_rows_per_evidence": {"IDA": 2, "IEA": 1, "IPI": 1, "ND": 1, "XYZ": 1},
        "n_rows_per_other_database": {"ComplexPortal": 1, "RNAcentral": 1},
        "n_rows_per_qualifier": {"NOT|enables": 1, "contributes_to": 1, "enables": 4},
    }


def test_qualifier_may_be_empty_in_gaf_2_1_and_unversioned_files(tmp_path: Path):
    assert read(write(tmp_path, V21, gaf_line(c4="")))[0] == [["P1", "GO:1000003", "IDA", False, ""]]
    rows, counts = read(
        write(tmp_path, gaf_line(c4=""), gaf_line(c4="NOT"), gaf_line(c4="NOT|colocalizes_with"))
    )
    assert [row[3] for row in rows] == [False, True, True]
    assert counts["gaf_version"] == {"(none)": 1}
    assert counts["n_rows_per_qualifier"] == {"(none)": 1, "NOT": 1, "NOT|colocalizes_with": 1}


def test_layout_does_not_matter(tmp_path: Path):
    path = tmp_path / "x.txt"
    path.write_bytes(
        gzip.compress(b"\xef\xbb\xbf" + f"{V22}\r\n\r\n{gaf_line()}\r\n{gaf_line(c2='P2')}".encode())
    )
    assert [row[0] for row in read(path)[0]] == ["P1", "P2"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            [V22, "", gaf_line().removesuffix("\tUniProt\t\t")],
            "annotations:3: 14 tab-separated columns, where GAF has 15 to 17: 'UniProtKB",
        ),
        ([V22, gaf_line() + "\t"], "annotations:2: 18 tab-separated columns"),
        (
            [V22, gaf_line(), "P2 GO:1"],
            "annotations:3: 1 tab-separated columns, where GAF has 15 to 17: 'P2 GO:1'",
        ),
        (["!gaf-version: 1.0", gaf_line()], "annotations:1: version 1.0; versions 2.0, 2.1, 2.2 are read"),
        ([V22, gaf_line(c4="")], "annotations:2: qualifier '' names no relation, which GAF 2.2 requires"),
        ([V22, gaf_line(c4="NOT")], "annotations:2: qualifier 'NOT' names no relation"),
        ([V22, gaf_line(c2=" ")], "annotations:2: no DB Object ID (column 2)"),
        ([V22, gaf_line(c5="")], "annotations:2: no GO ID (column 5)"),
        ([V22, gaf_line(c7="")], "annotations:2: no evidence code (column 7)"),
        ([V22, gaf_line(c9="X")], "annotations:2: aspect 'X' is none of F, P, C"),
        ([V22, gaf_line(), V22, gaf_line()], "annotations:3: a second file begins here"),
        ([V22], "annotations: no annotation of UniProtKB in 0 rows; rows per database: none"),
        (
            [V22, gaf_line(c1="MGI"), gaf_line(c1="MGI")],
            "no annotation of UniProtKB in 2 rows; rows per database: MGI: 2",
        ),
        (
            [V22, gaf_line(c7="ND")],
            "annotations: 0 of 1 annotations kept: evidence filter 'all' vs file codes {ND: 1}",
        ),
    ],
)
def test_errors_name_the_line(tmp_path: Path, lines: list[str], message: str):
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, *lines))
    assert message in str(caught.value)


def test_a_format_that_is_given_is_not_guessed(tmp_path: Path):
    path = write(tmp_path, "accession\tgo_id", "P1\tGO:1")
    with pytest.raises(
        InputError, match="no annotation of UniProtKB in 2 rows; rows per database: P1: 1, accession"
    ):
        read(path, format="gaf")
    with pytest.raises(
        InputError, match=r"this is a fasta file, which holds no annotations\. Give tsv, uniprot_tsv"
    ):
        read(write(tmp_path, ">P1", "MKV"))


def test_gaf_2_0_and_lines_without_the_last_columns_are_read(tmp_path: Path):
    lines = [
        gaf_line(c4="", c2=name).removesuffix("\t" * left_out) for name, left_out in (("P1", 2), ("P2", 1))
    ]
    rows, counts = read(write(tmp_path, "!gaf-version: 2.0", *lines, gaf_line(c4="", c17="UniProtKB:P1-2")))
    assert [(row[0], row[4]) for row in rows] == [("P1", ""), ("P2", ""), ("P1", "P1-2")]
    assert counts["gaf_version"] == {"2.0": 1}


def test_the_first_version_counts_and_a_quoted_one_does_not(tmp_path: Path):
    header = (V22, "!Header of the source:", V21, "!gaf-version: 1.0", "!")
    assert read(write(tmp_path, *header, gaf_line()))[1]["gaf_version"] == {"2.2": 1}
    with pytest.raises(InputError, match="annotations:6: qualifier '' names no relation"):
        read(write(tmp_path, *header, gaf_line(c4="")))


def test_rows_of_other_databases_are_counted_before_columns_are_judged(tmp_path: Path):
    no_database = "\t\tAT1G01010\t\tGO:1000003\tX:1\tIBA"
    rows, counts = read(write(tmp_path, V21, gaf_line(), no_database, gaf_line(c1="TAIR", c9="?")))
    assert len(rows) == 1
    assert counts["n_rows_per_other_database"] == {"(none)": 1, "TAIR": 1}


@pytest.mark.parametrize(
    ("database", "name"), [("MGI", "MGI:97490"), ("WB", "WBGene00000912"), ("PomBase", "SPAC2F7.03c")]
)
def test_other_databases_are_read_if_named(tmp_path: Path, database: str, name: str):
    path = write(tmp_path, V22, gaf_line(c1=database, c2=name), gaf_line())
    assert [row[0] for row in read(path, databases=[database])[0]] == [name]
    assert [row[0] for row in read(path, databases=[database, "UniProtKB"])[0]] == [name, "P1"]
    only_foreign = write(tmp_path, V22, gaf_line(c1=database, c2=name), name="foreign")
    with pytest.raises(InputError, match=rf"per database: {database}: 1. .*annotation.annotations.databases"):
        read(only_foreign)


GPAD_11 = (
    "!gpa-version: 1.1",
    "UniProtKB\tP1\tenables\tGO:1000003\tPMID:1\tECO:0000314\t\t\t20240101\tUniProt\t\tgo_evidence=IDA|x=y",
    "UniProtKB\tP2-3\tNOT|enables\tGO:1000003\tPMID:1\tECO:0000353\tP1\t\t20240101\tUniProt\t",
    "UniProtKB\tP3:PRO_0000000007\tpart_of\tGO:1000003\tPMID:1\tECO:9999999\t\t\t20240101\tUniProt",
    "ComplexPortal\tCPX-1\tpart_of\tGO:1000003\tPMID:1\tECO:0000314\t\t\t20240101\tX\t\t",
)
GPAD_20 = (
    "!generated-by: X",
    "!gpad-version: 2.0",
    "UniProtKB:P1\t\tRO:0002327\tGO:1000003\tPMID:1\tECO:0000314\t\t\t2024-01-01\tUniProt\t\t",
    "UniProtKB:P2-3\tNOT\tRO:0002327\tGO:1000003\tPMID:1\tECO:0000353\tP1\t\t2024-01-01\tUniProt\t\t",
    "UniProtKB:P3:PRO_0000000007\t\tBFO:0000050\tGO:1000003\tPMID:1\tECO:9999999\t\t\t2024-01-01\tX",
    "ComplexPortal:CPX-1\t\tBFO:0000050\tGO:1000003\tPMID:1\tECO:0000314\t\t\t2024-01-01\tX\t\t",
)


@pytest.mark.parametrize(("lines", "version"), [(GPAD_11, "1.1"), (GPAD_20, "2.0")])
def test_gpad_gives_the_rows_that_gaf_would(tmp_path: Path, lines: tuple[str, ...], version: str):
    rows, counts = read(write(tmp_path, *lines))
    assert rows == [
        ["P1", "GO:1000003", "IDA", False, ""],
        ["P2-3", "GO:1000003", "IPI", True, ""],
        ["P3", "GO:1000003", "ECO:9999999", False, ""],
    ]
    assert counts["gpad_version"] == {version: 1}
    assert counts["n_rows_per_other_database"] == {"ComplexPortal": 1}
    assert counts["n_rows_of_other_forms"] == 1
    with pytest.raises(InputError, match="annotations:3: 9 tab-separated columns, where GPAD has 10 to 12"):
        read(write(tmp_path, *lines[:2], "\t".join(lines[2].split("\t")[:9])))
