"""Sequences from rearrangement tables: AIRR's TSV and data units of OAS."""

import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sequences.rearrangements import PARTS, SEQUENCE, heavy, table

from protsae.core.errors import InputError
from protsae.sequences.airr import COLUMNS, read_chains
from protsae.sequences.formats import detect_format
from protsae.sequences.records import RecordsConfig, read_sequences
from protsae.sequences.table import SequenceTableConfig, sequence_table

METADATA = '"{""Run"": ""SRR1"", ""Species"": ""human"", ""Unique sequences"": 2}"\n'
JUNCTION = "TGTGCGAGAGACTACTGG"  # C A R D Y W


def read(path: Path) -> tuple[dict[str, str], Counter[str]]:
    counts: Counter[str] = Counter()
    return {r.protein_id: r.sequence for r in read_sequences(path, RecordsConfig(), counts)}, counts


@pytest.mark.parametrize("compressed", [False, True])
def test_a_table_gives_one_protein_per_distinct_sequence(tmp_path: Path, compressed: bool):
    rows = [
        heavy("b", productive="T", repertoire_id="x"),
        heavy("a", productive="T"),
        heavy("c", productive="F", sequence_aa="MKV"),
        heavy("d", productive="", sequence_aa="MKL"),
        heavy("e", sequence_aa=""),
        heavy("f", sequence_aa="MK*L"),
        heavy("g", sequence_aa="MKR*"),
    ]
    path = table(tmp_path / "x", rows)
    if compressed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    found, report = sequence_table(path, SequenceTableConfig())
    assert found[["protein_id", "aliases", "sequence"]].to_numpy().tolist() == [
        ["a", "b", SEQUENCE],
        ["d", "", "MKL"],
        ["g", "", "MKR"],
    ]
    assert report["format"] == "airr"
    assert report["rearrangements"] == {
        "n_rows": 7,
        "n_columns_not_read": 1,
        "n_chains_not_productive": 1,
        "n_chains_without_sequence": 1,
        "n_chains_with_stop_codon": 1,
    }
    assert report["residue_policy"]["n_trailing_stops"] == 1


def test_pairs_of_oas_give_two_proteins_each(tmp_path: Path):
    rows = [
        {
            "sequence_id_heavy": "h1",
            "v_call_heavy": "IGHV3-23*01",
            "sequence_alignment_aa_heavy": "QV-Q..L",
            "productive_heavy": "T",
            "sequence_id_light": "l1",
            "sequence_alignment_aa_light": "DIQM",
            "productive_light": "T",
            "ANARCI_status_light": '"|Deletions: 73, 10||Missing Conserved Cysteine|"',
        },
        {"sequence_id_heavy": "h2", "sequence_alignment_aa_heavy": "EVQ", "sequence_id_light": "l2"},
    ]
    found, counts = read(table(tmp_path / "x.csv", rows, ",", METADATA))
    assert found == {"h1_heavy": "QVQL", "l1_light": "DIQM", "h2_heavy": "EVQ"}
    assert counts == {"n_rows": 2, "n_columns_not_read": 1, "n_chains_without_sequence": 1}


def test_rows_without_ids_are_numbered(tmp_path: Path):
    rows = [{"sequence_alignment_aa": text, "productive": p} for text, p in [("MK", "F"), ("MV", "T")]]
    assert read(table(tmp_path / "x.csv", rows, ",", '{"Run": "a"}\n'))[0] == {"row2": "MV"}


def test_quoted_fields_and_amino_acids_that_go_before_the_alignment(tmp_path: Path):
    rows = [{'"sequence_id"': '"a"', '"sequence_alignment_aa"': '"MK"', '"sequence_aa"': '"MKV"'}]
    assert read(table(tmp_path / "x", rows))[0] == {"a": "MKV"}


@pytest.mark.parametrize(
    ("row", "sequence"),
    [
        # CAG GTG is Q V; one base before the frame, two after it
        ({"sequence_alignment": f"ACAG...GTG--{JUNCTION}GG"}, "QVCARDYW"),
        ({"sequence": f"cc{JUNCTION.lower()}GGCN", "sequence_alignment": ""}, "CARDYWG"),
        ({"sequence": "CCAGTAGTCTCTCGCACA", "rev_comp": "T"}, "CARDYW"),
        ({"sequence": f"NNN{JUNCTION}"}, "XCARDYW"),
        ({"sequence": "ACGT"}, ""),
        ({"sequence": f"AAA{JUNCTION}", "junction": ""}, ""),
    ],
)
def test_nucleotides_are_translated_in_the_frame_of_the_junction(
    tmp_path: Path, row: dict[str, str], sequence: str
):
    path = table(tmp_path / "x", [{"sequence_id": "a", "v_call": "", "junction": JUNCTION, **row}])
    found, counts = read(path)
    assert found == ({"a": sequence} if sequence else {})
    assert counts["n_chains_without_sequence"] == (not sequence)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "sequence_id\tv_call\n",
            "x:1: the header has no column sequence_aa or sequence_alignment_aa or seq",
        ),
        ("v_call_heavy,sequence_aa_heavy\n", "x:1: the header has no column sequence_aa_light or"),
        ("sequence_id\tsequence_aa\n", "x: a header and no sequences below it"),
        ("sequence_aa\tsequence_aa\nM\tM\n", "x:1: the header names sequence_aa twice"),
        ("sequence_id\tsequence_aa\na\tM\nb\n", "x:3: 1 fields where the header has 2: 'b'"),
        ("sequence_id\tsequence_aa\n\tM\n", "x:2: no sequence_id in this row"),
        (
            "sequence_id\tsequence_aa\tproductive\na\tM\tyes\n",
            "x:2: productive is 'yes', which is neither T nor",
        ),
        ("sequence_id\tsequence_aa\na\tM1\n", "x:2: record 'a' has '1' at position 2"),
        ("sequence_id\tsequence_aa\na b\tM\n", "x:2: 'a b' cannot be an id"),
        ("sequence_id\tsequence_aa\na\tM\na\tV\n", "x:3: id 'a' is already in line 2, with another sequence"),
        ('sequence_id\tsequence_aa\n"a\tM\n', "x:2: unexpected end of data. Is a quote missing?"),
        (
            f"v_call\tsequence\tjunction\n\t{JUNCTION}A?T\t{JUNCTION}\n",
            "x:2: sequence is not a sequence of nucl",
        ),
        ('{"Run": 1}\n', "x:1: expected a header line that starts with '>'"),
    ],
)
def test_faults_name_line_and_column(tmp_path: Path, text: str, message: str):
    (tmp_path / "x").write_text(text)
    with pytest.raises(InputError) as caught:
        sequence_table(tmp_path / "x", SequenceTableConfig())
    assert message in str(caught.value)


def test_other_tables_are_not_taken_for_rearrangements(tmp_path: Path):
    path = tmp_path / "x"
    for text, kind in [
        ("Entry\tSequence\nP1\tM\n", "uniprot_tsv"),
        ("accession\tgo_id\nP1\tGO:1\n", "tsv"),
        ("sequence_id,j_call_light,v_call_light\n", "airr"),
    ]:
        path.write_text(text)
        assert detect_format(path, "data") == kind


TEXTS = st.text(alphabet='aM\t\n,"{T*.-\r', max_size=60) | st.text(max_size=30)


@settings(max_examples=150, deadline=None)
@given(
    TEXTS, st.sampled_from(["", "sequence_id\tsequence_aa\tproductive\n", METADATA + "sequence_aa,v_call\n"])
)
def test_any_text_is_read_or_refused(tmp_path_factory, text: str, header: str):
    path = tmp_path_factory.mktemp("x") / "x"
    path.write_bytes((header + text).encode())
    try:
        chains = list(read_chains(path, "sequences", (), Counter()))
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert all(set(chain.values) == set(COLUMNS) for chain in chains)


def test_cdr3_is_the_junction_without_its_anchors(tmp_path: Path):
    rows = [heavy("a", cdr3_aa=""), heavy("b")]
    chains = list(read_chains(table(tmp_path / "x", rows), "x", (), Counter()))
    assert [chain.cdr3 for chain in chains] == ["ARDY", PARTS[5]]
