"""Any bytes, as any file of sequences, end in records that add up or in an error that names the file."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.damaged_files import ASCII, check_message, lines_of, soup, spoilt
from tests.sequences.flat_file import dat_record

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.sequences.records import RecordsConfig, read_sequences

FASTA = b">sp|P1|A first\nMKVL\nAC*\n>P2\nacdx\n\n>UniRef50_P3 x\nMKJ\n"
EXPORT = b"Entry\tProtein names\tSequence\nP1\tA b\tMKV\nP2\t\tmk*\nP3\tx\tAAA\n"
FLAT = (dat_record() + dat_record("B", "P2;", "MKV", ())).encode()
TOKENS = [
    ">",
    "P1",
    "sp|",
    "\t",
    "\n",
    "\r",
    " ",
    "Entry",
    "Sequence",
    "MKV",
    "*",
    "ID   ",
    "AC   ",
    "SQ   ",
    "     ",
]
TOKENS += ["//", "Reviewed;", "3 AA.", ";", "\x00", "é", "DR   GO; ", "<", "1"]


def n_fasta(lines: list[str]) -> int:
    return sum(line.startswith(">") for line in lines)


def n_export(lines: list[str]) -> int:
    return sum(bool(line.strip()) for line in lines) - 1


def n_flat(lines: list[str]) -> int:
    return sum(line.startswith("//") for line in lines)


KINDS = {"fasta": (FASTA, n_fasta), "uniprot_tsv": (EXPORT, n_export), "swissprot_dat": (FLAT, n_flat)}


def check(path: Path, content: bytes, kind: str) -> None:
    path.write_bytes(content)
    try:
        records = list(read_sequences(path, RecordsConfig(format=kind)))
    except InputError as error:
        check_message(path, error)
        return
    lines = lines_of(content)
    first = next(line for line in lines if line.strip())
    if kind == "auto":
        kind = (
            "fasta"
            if first.startswith(">")
            else "swissprot_dat"
            if first.startswith("ID   ")
            else "uniprot_tsv"
        )
    assert len(records) == KINDS[kind][1](lines)
    for record in records:
        assert record.protein_id
        assert set(record.sequence) <= set(AMINO_ACIDS + "XBZUO")
        assert 1 <= record.line <= len(lines)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sound_files_are_read(tmp_path: Path, kind: str):
    path = tmp_path / "x"
    path.write_bytes(KINDS[kind][0])
    auto, told = (list(read_sequences(path, RecordsConfig(format=f))) for f in ("auto", kind))
    assert auto == told
    assert len(auto) == KINDS[kind][1](lines_of(KINDS[kind][0]))


@pytest.mark.parametrize("kind", ["auto", *KINDS])
@settings(max_examples=120, deadline=None)
@given(content=st.one_of(st.binary(), ASCII, soup(TOKENS)))
def test_damaged_file_is_records_or_an_error_that_names_it(tmp_path_factory, kind: str, content: bytes):
    check(tmp_path_factory.mktemp("damaged") / "x", content, kind)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_spoilt_files_are_records_that_add_up_or_an_error(tmp_path_factory, kind: str, data: st.DataObject):
    content = data.draw(spoilt(KINDS[kind][0]))
    check(tmp_path_factory.mktemp("spoilt") / "x", content, data.draw(st.sampled_from(["auto", kind])))
