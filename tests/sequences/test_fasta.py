"""FASTA: strict reading, the residue policy, and a round trip. Biopython is the oracle for sound files."""

import gzip
import io
import string
from collections import Counter
from pathlib import Path

import pytest
from Bio.SeqIO.FastaIO import SimpleFastaParser
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.toy_ontology import SHARED

from helpers.writing import write_fasta
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.sequences.fasta import FastaConfig, FastaRecord, parse_header, read_fasta
from protsae.sequences.residues import ResiduePolicy

CONFIG = FastaConfig()
same_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)


def _file(folder: Path, text: str | bytes) -> Path:
    path = folder / "proteins.fasta"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def _read(folder: Path, text: str | bytes, config: FastaConfig = CONFIG) -> list[tuple[str, str, str]]:
    return [(r.protein_id, r.description, r.sequence) for r in read_fasta(_file(folder, text), config)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            ">sp|P69905|HBA_HUMAN Hemoglobin OS=Homo sapiens",
            ("P69905", "HBA_HUMAN Hemoglobin OS=Homo sapiens"),
        ),
        (">sp|P69905", ("P69905", "")),
        (">SP|P69905.2|HBA_HUMAN Hemoglobin", ("P69905", "HBA_HUMAN Hemoglobin")),
        (">P69905.3 RecName: Full=Hemoglobin", ("P69905", "RecName: Full=Hemoglobin")),
        (">A0A024R161-2.1", ("A0A024R161-2", "")),
        (">NP_000508.1 hemoglobin", ("NP_000508.1", "hemoglobin")),
        (">sp|P69905|", ("P69905", "")),
        (">tr|A0A024R161|A0A024R161_HUMAN", ("A0A024R161", "A0A024R161_HUMAN")),
        (">sp|P04637-2|P53_HUMAN Isoform 2", ("P04637-2", "P53_HUMAN Isoform 2")),
        (">UniRef50_P69905 Cluster: Hemoglobin n=12", ("P69905", "Cluster: Hemoglobin n=12")),
        (">UniRef100_UPI000012A3B4", ("UPI000012A3B4", "")),
        (">UniRef50_lower x", ("UniRef50_lower", "x")),
        (">myprotein", ("myprotein", "")),
        (">  myprotein\tsome   words  ", ("myprotein", "some   words")),
        (">gi|129295|sp|P01013 ovalbumin", ("gi|129295|sp|P01013", "ovalbumin")),
    ],
)
def test_headers(header: str, expected: tuple[str, str]) -> None:
    assert parse_header(header, "f:1") == expected


def test_records_carry_their_line_and_harmless_layout_is_accepted(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf\r\n>a  first\r\nMKV \t\r\n\r\nLL\r\n   \r\n>b\r\nACD"
    assert list(read_fasta(_file(tmp_path, text), CONFIG)) == [
        FastaRecord("a", "first", "MKVLL", 2),
        FastaRecord("b", "", "ACD", 7),
    ]


def test_the_residue_policy_changes_and_counts(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    path = _file(tmp_path, ">a\nMKxBZ\nUOjJ*\n>b\nacd\n>c\nMKV*\n")
    assert [r.sequence for r in read_fasta(path, CONFIG, counts)] == ["MKXBZUOXX", "ACD", "MKV"]
    assert counts == {
        "n_lower_case": 5,
        "n_trailing_stops": 2,
        "n_J_to_X": 2,
        **{f"n_residues_{letter}": 1 for letter in "XBZUO"},
    }


@pytest.mark.parametrize(
    ("policy", "sequence", "message"),
    [
        (ResiduePolicy(keep="X"), "MKU", "'U' at position 3"),
        (ResiduePolicy(to_unknown=""), "MJK", "'J' at position 2"),
        (ResiduePolicy(strip_trailing_stop=False), "MK*", r"'\*' at position 3"),
        (ResiduePolicy(raise_lower_case=False), "MkV", "'k' at position 2"),
    ],
)
def test_a_stricter_policy_refuses(
    tmp_path: Path, policy: ResiduePolicy, sequence: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _read(tmp_path, f">a\n{sequence}\n", FastaConfig(residues=policy))


def test_a_policy_for_one_of_the_twenty_is_refused() -> None:
    with pytest.raises(ValidationError, match="A, L: one of the twenty"):
        ResiduePolicy(keep="XLA")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "proteins.fasta: the file is empty"),
        ("\n  \n", "proteins.fasta: the file is empty"),
        ("\n<html><body>404</body></html>", "proteins.fasta:2: this is a web page"),
        ("\nMKV\n>a\nMKV\n", "proteins.fasta:2: expected a header line that starts with '>', found 'MKV'"),
        ("; comment\n>a\nMKV\n", "proteins.fasta:1: expected a header line"),
        (">a\nMKV\n>\nMKV\n", "proteins.fasta:3: the record has no id"),
        (">a\nMKV\n>sp||NAME x\nMKV\n", "proteins.fasta:3: the record has no id"),
        (">a;b\nMKV\n", "proteins.fasta:1: id 'a;b' contains ';'"),
        (">a\x01b\nMKV\n", "proteins.fasta:1: control character '\\x01'"),
        (">a\n\n>b\nMKV\n", "proteins.fasta:1: record 'a' has no residues"),
        (">a\nMKV\n>b", "proteins.fasta:3: record 'b' has no residues"),
        (">a\n*\n", "proteins.fasta:1: record 'a' has no residues"),
        (
            ">a\nMKV\nLL*V\n",
            "proteins.fasta:3: record 'a' has '*' at position 6, which is no residue. A stop codon",
        ),
        (">a\nMKV*\nLLV\n", "proteins.fasta:2: record 'a' has '*' at position 4"),
        (">a\nMKV**\n", "proteins.fasta:2: record 'a' has '*' at position 4"),
        (">a\nMK-V\n", "proteins.fasta:2: record 'a' has '-' at position 3, which is no residue. A gap"),
        (">a\nMK.V\n", "record 'a' has '.' at position 3"),
        (">a\nMK1V\n", "record 'a' has '1' at position 3"),
        (">a\nMK V\n", "record 'a' has ' ' at position 3"),
        (">a\n MKV\n", "record 'a' has ' ' at position 1"),
        (">a\nMK<mask>V\n", "record 'a' has '<' at position 3"),
        (">a\nMK>V\n", "record 'a' has '>' at position 3"),
        (">a\nMKß\n", "record 'a' has 'ß' at position 3"),
        (">a\nMKV\x01\n", "record 'a' has '\\x01' at position 4"),
        (">a\nMKV\x00\n", "proteins.fasta:2: byte 0x00 is no text"),
        (b">a\nMK\xff\n", "proteins.fasta:2: byte 0xff is not UTF-8"),
        (">a\nMKV\n".encode("utf-16"), "UTF-16. Save it as UTF-8"),
        (">a\nMKVLLAC\nDEFG\n>b\nMKV\n", "proteins.fasta:3: record 'a' has over 10 residues"),
    ],
)
def test_faulty_files_are_refused_with_file_line_and_reason(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(InputError) as error:
        _read(tmp_path, text, FastaConfig(max_sequence_length=10))
    assert message in str(error.value)


def test_half_a_gzip_file_says_how_far_it_got(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f">p{n}\n{'MKVLA' * (n % 50 + 1)}\n" for n in range(2000)).encode())
    with pytest.raises(InputError, match=r"proteins\.fasta:\d+: the compressed file ends early"):
        _read(tmp_path, whole[: len(whole) // 2])


def test_reading_is_a_stream(tmp_path: Path) -> None:
    records = read_fasta(_file(tmp_path, ">a\nMKV\n>b\nM1V\n"), CONFIG)
    assert next(records).protein_id == "a"
    with pytest.raises(InputError, match="record 'b'"):
        next(records)


def is_id(name: str) -> bool:
    """Return whether a header of this word alone gives it as the id."""
    try:
        return parse_header(f">{name}", "f:1") == (name, "")
    except InputError:  # bars alone, or `sp|` without what follows
        return False


sequences = st.text(alphabet=AMINO_ACIDS, min_size=1, max_size=200)
ids = st.text(alphabet=string.ascii_letters + string.digits + "_-.|:", min_size=1, max_size=12).filter(is_id)
descriptions = st.text(alphabet=string.ascii_letters + string.digits + " >=;|'/<é", max_size=40).map(
    str.strip
)


@same_folder
@given(st.lists(st.builds(FastaRecord, ids, descriptions, sequences), min_size=1, max_size=8))
@example([FastaRecord("a", "", "M" * 60), FastaRecord("b", "> not a header", "M" * 61)])
def test_parse_write_parse_is_the_identity(tmp_path: Path, records: list[FastaRecord]) -> None:
    path = tmp_path / "written.fasta"
    write_fasta(path, records)
    back = list(read_fasta(path, CONFIG))
    assert [(r.protein_id, r.description, r.sequence) for r in back] == [
        (r.protein_id, r.description, r.sequence) for r in records
    ]
    first = path.read_bytes()
    write_fasta(path, back)
    assert path.read_bytes() == first
    oracle = [(title, sequence) for title, sequence in SimpleFastaParser(io.StringIO(first.decode()))]
    assert [sequence for _, sequence in oracle] == [r.sequence for r in records]
    assert [title.split(" ", 1)[0] for title, _ in oracle] == [r.protein_id for r in records]


arbitrary = st.text(alphabet=st.characters(max_codepoint=127), max_size=120)
nearly_fasta = st.lists(
    st.sampled_from(
        [">", "a", "sp|", "UniRef50_", "MKV", "*", "\n", "\r", " ", "\t", "j", "<", ";", "\x01", "|", "1"]
    ),
    max_size=30,
).map("".join)


@settings(same_folder, max_examples=150)
@given(st.one_of(arbitrary, nearly_fasta))
@example(">sp|UniRef50_A|x\nMKV\n")
def test_damaged_fasta_is_records_or_an_input_error(tmp_path: Path, text: str) -> None:
    path = _file(tmp_path, text)
    try:
        records = list(read_fasta(path, CONFIG))
    except InputError as error:
        assert str(path) in str(error)
        return
    assert records
    n_headers = sum(line.startswith(">") for line in text.replace("\r", "\n").split("\n"))
    assert len(records) == n_headers
    assert all(record.sequence and set(record.sequence) <= set(AMINO_ACIDS + "XBZUO") for record in records)
    write_fasta(path, records)
    assert [(r.protein_id, r.description, r.sequence) for r in read_fasta(path, CONFIG)] == [
        (r.protein_id, r.description, r.sequence) for r in records
    ]


CODING = "ATGGTGCTGTCTCCTGCCGACAAGACCAACGTCAAGGCC"


@pytest.mark.parametrize(
    "sequence",
    [
        CODING,
        CODING.lower(),
        CODING.replace("T", "U"),
        CODING[:16],
        CODING + "N" * 100,
        CODING * 9 + "RYSWKM" * 5,
    ],
)
def test_nucleotides_are_told_by_their_composition(tmp_path: Path, sequence: str) -> None:
    with pytest.raises(
        InputError, match=r"fasta:\d+: record 'x' looks like nucleotides.*allow_nucleotides=true"
    ):
        _read(tmp_path, f">P1\nMKV\n>x cds\n{sequence}\n")
    accepted = CONFIG.model_copy(update={"allow_nucleotides": True})
    assert len(_read(tmp_path, f">P1\nMKV\n>x cds\n{sequence}\n", accepted)) == 2


@pytest.mark.parametrize(
    "sequence",
    [
        "ACGT",
        CODING[:15],
        "AATAATAATTAAATAATTAATA" * 3,
        "GAGAGSGAGAGY" * 9,
        "ACDEFGHIKLMNPQRSTVWY" * 2,
        "CGCGTCGCGT" * 5,
    ],
)
def test_proteins_of_few_kinds_of_residues_are_no_nucleotides(tmp_path: Path, sequence: str) -> None:
    assert len(_read(tmp_path, f">x\n{sequence}\n")) == 1


@pytest.mark.shared
def test_no_protein_of_swiss_prot_is_taken_for_nucleotides() -> None:
    path = SHARED / "swissprot_go/proteins.fasta.gz"
    if not path.is_file():
        pytest.skip("no ../shared next to the checkout")
    assert sum(1 for _ in read_fasta(path, CONFIG)) == 125_831
