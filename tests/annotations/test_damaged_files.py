"""Any bytes, as any kind of annotation file, end in rows that add up or in an error that names the file."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.annotations.files import gaf_line
from tests.damaged_files import ASCII, check_message, lines_of, soup, spoilt
from tests.sequences.flat_file import dat_record

from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.rows import nested_counts, read_annotations
from protsae.core.errors import InputError

GAF = "\n".join(
    [
        "!gaf-version: 2.2",
        gaf_line(),
        gaf_line(c1="RNAcentral"),
        gaf_line(c4="NOT|enables", c7="ND"),
        gaf_line(c17="UniProtKB:P1-2"),
        "",
    ]
).encode()
TSV = b"accession\tgo_id\tevidence\tqualifier\nP1\tGO:1\tIDA\t\nP12345-2\tGO:2\tND\tNOT\n\nP3\tGO:3\tXX\tq\n"
EXPORT = b"Entry\tGene Ontology IDs\tSequence\nP1\tGO:1; GO:2\tMK\nP2\t\tM\nP3\tGO:3;\tV\n"
FLAT = (dat_record() + dat_record("B", "P2;", "MKV", ("GO:1; C:x; IEA:Y", "GO:2; F:y, z; ND:Y"))).encode()
TOKENS = [
    "\t",
    "\t",
    "\n",
    "\r",
    " ",
    "!",
    "gaf-version: 2.1",
    "UniProtKB",
    "P1",
    "GO:1",
    "IDA",
    "NOT",
    "|",
    "F",
]
TOKENS += [
    "accession",
    "go_id",
    "Entry",
    "Gene Ontology IDs",
    ";",
    "ID   ",
    "AC   ",
    "//",
    "DR   GO; ",
    "\x00",
    "é",
]


def n_tsv(lines: list[str]) -> int:
    return sum(bool(line.strip()) for line in lines) - 1


def n_gaf(lines: list[str]) -> int:
    return sum(bool(line.strip()) and not line.startswith("!") for line in lines)


def n_export(lines: list[str]) -> int:
    table = [line.split("\t") for line in lines if line.strip()]
    column = [name.strip().casefold() for name in table[0]].index("gene ontology ids")
    return sum(bool(part.strip()) for row in table[1:] for part in row[column].split(";"))


def n_flat(lines: list[str]) -> int:
    return sum(line.startswith("DR") and line[5:].split("; ")[0].rstrip(".;") == "GO" for line in lines)


KINDS: dict[str, tuple[bytes, Callable[[list[str]], int]]] = {
    "tsv": (TSV, n_tsv),
    "gaf": (GAF, n_gaf),
    "uniprot_tsv": (EXPORT, n_export),
    "swissprot_dat": (FLAT, n_flat),
}


def check(path: Path, content: bytes, kind: str) -> None:
    path.write_bytes(content)
    counts: Counter[str] = Counter()
    try:
        rows = read_annotations(path, AnnotationsConfig(format=kind), counts)
    except InputError as error:
        check_message(path, error)
        return
    report = nested_counts(counts)
    lost = ("n_rows_of_other_databases", "n_rows_no_data", "n_rows_of_other_evidence")
    assert len(rows) + sum(report.get(name, 0) for name in lost) == report["n_rows_in_file"]
    (read_as,) = report["format"]
    assert report["n_rows_in_file"] == KINDS[read_as][1](lines_of(content))
    assert (rows[["accession", "term_id"]] != "").all(axis=None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sound_files_are_read(tmp_path: Path, kind: str):
    path = tmp_path / "x"
    path.write_bytes(KINDS[kind][0])
    assert len(read_annotations(path, AnnotationsConfig(format=kind))) >= 2
    counts: Counter[str] = Counter()
    read_annotations(path, AnnotationsConfig(), counts)
    assert counts[f"format.{kind}"] == 1


@pytest.mark.parametrize("kind", ["auto", *KINDS])
@settings(max_examples=120, deadline=None)
@given(content=st.one_of(st.binary(), ASCII, soup(TOKENS)))
def test_damaged_file_is_rows_or_an_error_that_names_it(tmp_path_factory, kind: str, content: bytes):
    check(tmp_path_factory.mktemp("damaged") / "x", content, kind)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_spoilt_files_are_rows_that_add_up_or_an_error(tmp_path_factory, kind: str, data: st.DataObject):
    content = data.draw(spoilt(KINDS[kind][0]))
    check(tmp_path_factory.mktemp("spoilt") / "x", content, data.draw(st.sampled_from(["auto", kind])))


words = st.text(alphabet="ABCPQ0123456789:_-.", min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(words, words, st.sampled_from(["IDA", "IEA", ""]), st.booleans()), min_size=1))
def test_a_table_written_by_pandas_is_read_unchanged(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "x.tsv"
    text = "protein_id\tterm\tevidence\tqualifier\n"
    text += "".join(f"{a}\t{t}\t{code}\t{'NOT|enables' if no else ''}\n" for a, t, code, no in rows)
    path.write_text(text)
    found = read_annotations(path, AnnotationsConfig())
    named = [
        isoform or accession
        for accession, isoform in zip(found["accession"], found["isoform_id"], strict=True)
    ]
    assert list(zip(named, found["term_id"], found["evidence"], found["is_not"], strict=True)) == rows
