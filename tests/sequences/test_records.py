"""Sequences from UniProt exports and Swiss-Prot files, and the limits of any file."""

import bz2
import gzip
import io
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from Bio import SwissProt
from tests.sequences.flat_file import dat_record

from protsae.core.errors import InputError
from protsae.sequences.fasta import FastaRecord
from protsae.sequences.records import RecordsConfig, read_sequences
from protsae.sequences.swissprot import read_swissprot
from protsae.sequences.table import SequenceTableConfig, sequence_table

HEADER = "Entry\tEntry Name\tProtein names\tLength\tSequence"


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "proteins"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, **config: object) -> list[FastaRecord]:
    return list(read_sequences(path, RecordsConfig.model_validate(config)))


def test_uniprot_export_is_recognised_by_its_header(tmp_path: Path):
    content = f"{HEADER}\r\nP1\tONE_HUMAN\tFirst protein (EC 1.1)\t4\tMKvL*\r\n\r\nP2-2\t\t\t3\tMKJ\r\n"
    counts: Counter[str] = Counter()
    records = list(read_sequences(write(tmp_path, bz2.compress(content.encode())), RecordsConfig(), counts))
    assert records == [
        FastaRecord("P1", "ONE_HUMAN First protein (EC 1.1)", "MKVL", 2),
        FastaRecord("P2-2", "", "MKX", 4),
    ]
    assert counts == {"n_lower_case": 1, "n_trailing_stops": 1, "n_J_to_X": 1}


def test_columns_are_recognised_in_any_case_and_a_format_that_is_given_is_not_guessed(tmp_path: Path):
    path = write(tmp_path, "sequence\tENTRY\nMKV\tP1\n")
    assert [(record.protein_id, record.sequence) for record in read(path)] == [("P1", "MKV")]
    with pytest.raises(InputError, match="proteins:1: expected a header line that starts with '>'"):
        read(path, format="fasta")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "Entry\tGene Ontology IDs\nP1\tGO:1\n",
            "proteins:1: the header has no column Sequence",
        ),
        (f"{HEADER}\n", "proteins: a header and no sequences below it"),
        (f"{HEADER}\nP1\tA\tB\t3\tMK1\n", "proteins:2: record 'P1' has '1' at position 3"),
        (f"{HEADER}\nP1\tA\tB\t3\t \n", "proteins:2: no Sequence in this row"),
        (f"{HEADER}\nP1\tA\tB\t3\t*\n", "proteins:2: record 'P1' has no residues"),
        (f"{HEADER}\n\tA\tB\t3\tMKV\n", "proteins:2: no Entry in this row"),
        (f"{HEADER}\nP1 x\tA\tB\t3\tMKV\n", "proteins:2: 'P1 x' cannot be an id: it would be read as 'P1'"),
        (f"{HEADER}\nP1;P2\tA\tB\t3\tMKV\n", "proteins:2: id 'P1;P2' contains ';'"),
        (f"{HEADER}\nP1\tA\tB\t3\n", "proteins:2: 4 tab-separated fields where the header has 5"),
        (f"{HEADER}\nP1\tA\tB\t3\t{'M' * 11}\n", "proteins:2: record 'P1' has over 10 residues"),
        ("accession\tsequence\nP1\tMKV\n", "proteins:1: expected a header line that starts with '>'"),
        ("!gaf-version: 2.2\n", "proteins:1: expected a header line that starts with '>'"),
        (b"\x80\x04N.", "proteins: this is a pickle, which can hold code and is never opened"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, content: str | bytes, message: str):
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, content), max_sequence_length=10)
    assert message in str(caught.value)


def test_a_flat_file_gives_what_biopython_reads(tmp_path: Path):
    content = dat_record() + dat_record("B_HUMAN", "P2;", "MKV" * 50, ())
    path = write(tmp_path, gzip.compress(content.encode()))
    unread = ("GN", "RX", "FT")  # whose faults Biopython minds
    sound = [line for line in content.splitlines(keepends=True) if not line.startswith(unread)]
    oracle = list(SwissProt.parse(io.StringIO("".join(sound))))
    records = read(path)
    assert [(r.protein_id, r.sequence) for r in records] == [(r.accessions[0], r.sequence) for r in oracle]
    names = ["HBA_HUMAN Hemoglobin subunit alpha", "B_HUMAN Hemoglobin subunit alpha"]
    assert [r.description for r in records] == names
    assert [r.line for r in records] == [1, dat_record().count("\n") + 1]
    assert [r.go_terms for r in read_swissprot(path, "x")] == [((12, "GO:0005833", "IDA"),), ()]


WHOLE = dat_record()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WHOLE.removesuffix("//\n"), "proteins:1: the last record, 'HBA_HUMAN', is cut off: it has no '//'"),
        (
            WHOLE.replace("//\n", "") + WHOLE,
            "proteins:19: expected '//', the end of the record before",
        ),
        (WHOLE + "AC   P2;\n", "proteins:20: expected a line that begins with 'ID', found 'AC   P2;'"),
        (
            WHOLE.replace("CC   -!-", "cc -!-"),
            "proteins:10: 'cc -!- FUNCTION: Involved",
        ),
        (dat_record(length=46), "record 'HBA_HUMAN' says that it has 46 residues, and has 47"),
        (WHOLE.replace("AC   P69905; P01922;\n", ""), "proteins:1: record 'HBA_HUMAN' has no accession"),
        (
            WHOLE.replace("Reviewed; ", "Guessed;  "),
            "proteins:1: record 'HBA_HUMAN' cannot be parsed (Unrec",
        ),
        (WHOLE.replace("SEQUENCE   47 AA;", "SEQUENCE"), "proteins:1: record 'HBA_HUMAN' cannot be parsed"),
        (
            dat_record(terms=("GO:0005833",)),
            "proteins:12: 'GO; GO:0005833' is not 'GO; term;",
        ),
        (dat_record(sequence="MKV*V"), "proteins:1: record 'P69905' has '*' at position 4"),
    ],
)
def test_a_faulty_flat_file_is_refused_with_its_line(tmp_path: Path, content: str, message: str):
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, content))
    assert message in str(caught.value)


def test_names_of_before_2008_are_read_whole(tmp_path: Path):
    old = dat_record().replace("RecName: Full=Hemoglobin subunit alpha {ECO:0000305};", "Hemoglobin (Alpha).")
    old = old.replace("DE   AltName: Full=Alpha-globin;\n", "")
    assert read(write(tmp_path, old))[0].description == "HBA_HUMAN Hemoglobin (Alpha)"


def test_half_a_file_says_how_many_records_are_whole(tmp_path: Path):
    fasta = "".join(f">p{n}\n{'MKVLA' * (n * 7919 % 53 + 1)}\n" for n in range(20_000))
    flat = "".join(dat_record(f"P{n}_HUMAN", f"P{n};", "MKVLA" * (n * 7919 % 53 + 1)) for n in range(4_000))
    for content in (fasta, flat):
        whole = gzip.compress(content.encode())
        path = write(tmp_path, whole[: len(whole) // 2])
        n_read = 0
        with pytest.raises(InputError, match=r"ends early.*Download it again; \d+ records before") as caught:
            for _ in read_sequences(path, RecordsConfig()):
                n_read += 1
        assert f"; {n_read} records before" in str(caught.value)
        assert n_read > 1000


def test_more_records_than_the_limit_stop_the_run(tmp_path: Path):
    fasta, export = ">a\nM\n>b\nK\n>c\nV\n", "Entry\tSequence\na\tM\nb\tK\nc\tV\n"
    for content, line in ((fasta, 5), (export, 4)):
        path = write(tmp_path, content)
        assert len(read(path, max_records=3)) == len(read(path, max_records=None)) == 3
        with pytest.raises(InputError, match=rf"proteins:{line}: over 2 records. Is this the right file\?"):
            read(path, max_records=2)


def test_every_format_makes_the_same_table(tmp_path: Path):
    pairs = [("P2", "MKV"), ("P1", "ACD"), ("P3", "MKV")]
    contents = {
        "fasta": "".join(f">{name}\n{sequence}\n" for name, sequence in pairs),
        "uniprot_tsv": "Entry\tSequence\n" + "".join(f"{name}\t{sequence}\n" for name, sequence in pairs),
        "swissprot_dat": "".join(dat_record("X", f"{name};", sequence) for name, sequence in pairs),
    }
    for kind, content in contents.items():
        table, report = sequence_table(write(tmp_path, content), SequenceTableConfig())
        rows = table[["protein_id", "sequence", "aliases"]].to_numpy().tolist()
        assert rows == [["P1", "ACD", ""], ["P2", "MKV", "P3"]]
        assert report["format"] == kind
        assert report["n_records"] == 3


def test_titin_passes(tmp_path: Path):
    titin = "MKVLA" * 7000
    path = write(tmp_path, gzip.compress(f">sp|Q8WZ42|TITIN_HUMAN Titin\n{titin}\n".encode()))
    assert [r.sequence for r in read(path)] == [titin]


def stream(n_records: int) -> Iterator[bytes]:
    """Yield FASTA of records that are all different, a thousand at a time."""
    for begin in range(0, n_records, 1000):
        yield "".join(
            f">p{n} some protein\nMKV{'ACDEFGHIKL' * (n % 30)}\n" for n in range(begin, begin + 1000)
        ).encode()


def peak_of_reading(folder: Path, n_records: int) -> int:
    """Return the bytes that Python holds at most while it goes through a file of `n_records`."""
    path = folder / f"{n_records}.fasta.gz"
    with gzip.open(path, "wb", compresslevel=1) as handle:
        handle.writelines(stream(n_records))
    tracemalloc.start()
    try:
        n_read = sum(1 for _ in read_sequences(path, RecordsConfig(max_records=None)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n_read == n_records
    return peak


def test_reading_holds_the_same_memory_however_many_records_there_are(tmp_path: Path):
    few, many = peak_of_reading(tmp_path, 5_000), peak_of_reading(tmp_path, 25_000)
    assert many < 1.2 * few
    assert many < 8 << 20


READ = """
import resource, sys
from pathlib import Path
from protsae.sequences.records import RecordsConfig, read_sequences
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
n, before = 0, 0
for n, record in enumerate(read_sequences(Path(sys.argv[1]), RecordsConfig(max_records=None)), start=1):
    before = peak() if n == 1000 else before
print(n, peak() - before)
"""


@pytest.mark.slow
def test_ten_million_records_are_read_in_constant_memory(tmp_path: Path):
    path = tmp_path / "proteins.fasta.gz"
    with gzip.open(path, "wb", compresslevel=1) as handle:
        handle.writelines(stream(10_000_000))
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, check=True)
    n_read, grown_kb = map(int, done.stdout.split())
    assert n_read == 10_000_000
    assert grown_kb < 8 << 10
