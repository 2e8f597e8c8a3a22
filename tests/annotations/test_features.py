"""UniProt features: locations, notes and what is counted instead of read."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.annotations.features import COLUMN_OF_KIND, parse_features, read_feature_table, read_features
from protsae.core.errors import InputError
from protsae.sequences.swissprot import read_swissprot

TABLE = (
    "Entry\tDomain [FT]\tDisulfide bond\tActive site\tBinding site\n"
    'P1\tDOMAIN 2..9; /note="SH3 1"; /evidence="ECO:1"; DOMAIN 12..20; /note="SH3 2"\t'
    'DISULFID 3..8; /note="Interchain; with C-9"\tACT_SITE 5; /note="Nucleophile"\t\n'
    'P2\tDOMAIN <1..5; /note="PH"\tDISULFID ?..10\t\tBINDING 7..8; /ligand="ATP; DOMAIN A"; /note="x"\n'
    "P3\t\t\t\t\n"
)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "features.tsv"
    path.write_text(text)
    return path


def test_a_table_gives_exactly_these_spans(tmp_path: Path):
    source = read_feature_table(write(tmp_path, TABLE))
    spans = source.spans[["accession", "term_id", "start", "end"]].to_numpy().tolist()
    assert sorted(spans) == [
        ["P1", "feature:ACT_SITE", 4, 5],
        ["P1", "feature:DISULFID", 2, 3],
        ["P1", "feature:DISULFID", 7, 8],
        ["P1", "feature:DOMAIN:SH3", 1, 9],
        ["P1", "feature:DOMAIN:SH3", 11, 20],
        ["P2", "feature:BINDING:ATP", 6, 8],
    ]
    bond = source.spans[source.spans["term_id"] == "feature:DISULFID"]
    assert bond["instance"].nunique() == 1
    domains = source.spans[source.spans["term_id"] == "feature:DOMAIN:SH3"]
    assert domains["instance"].nunique() == 2
    assert ["feature:DOMAIN:SH3", "is_a", "feature:DOMAIN"] in source.relations.to_numpy().tolist()
    assert source.listed["accession"].tolist() == ["P1", "P2", "P3"]
    assert source.counts == {
        "n_rows": 3,
        "n_features": 7,
        "n_features_partial": 1,
        "n_features_at_unknown_position": 1,
        "n_features_of_isoforms": 0,
    }


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("DOMAIN 10..>20", "n_features_partial"),
        ("SIGNAL ?", "n_features_at_unknown_position"),
        ("SIGNAL 1..?", "n_features_at_unknown_position"),
        ("SIGNAL ?1..20", "n_features_at_unknown_position"),
        ("DOMAIN P12345-2:3..9", "n_features_of_isoforms"),
    ],
)
def test_positions_that_are_not_fully_known_are_counted(text: str, counted: str):
    counts: Counter[str] = Counter()
    assert parse_features(text, "x:2", counts) == []
    assert counts == {"n_features": 1, counted: 1}


def test_a_bond_within_one_residue_is_one_span():
    (feature,) = parse_features('CROSSLNK 7; /note="x"', "x:2", Counter())
    assert feature.spans == ((6, 7),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("something else", "x:2: expected UniProt features"),
        (
            "DOMAIN 1..3; /note=SH3",
            "x:2: the note of a DOMAIN feature is no text in quotes: '1..3; /note=SH3'",
        ),
        ('DOMAIN 1..3; /note="SH3', "x:2: the note of a DOMAIN feature is no text in quotes"),
        ('BINDING 3; /ligand="Zn"; /note=by host', "the note of a BINDING feature is no text in quotes"),
        ("junk; DOMAIN 1..5", "x:2: expected UniProt features"),
        ("DOMAIN a..5", "x:2: 'a..5' is no position of a DOMAIN feature"),
        ("DOMAIN 9..5", "x:2: a DOMAIN feature from 9 to 5 is no stretch"),
        ("DOMAIN 0..5", "from 0 to 5"),
    ],
)
def test_other_cells_are_refused(text: str, message: str):
    with pytest.raises(InputError, match=message):
        parse_features(text, "x:2", Counter())


def test_flat_files_before_and_after_2019_give_equal_features():
    source = read_features(Path(__file__).parent / "data/features.dat")
    rows = source.spans.groupby("accession")[["term_id", "start", "end"]]
    assert {accession: table.to_numpy().tolist() for accession, table in rows} == {
        "P12345": [
            ["feature:SIGNAL", 0, 5],
            ["feature:DOMAIN:A_very_long_name_that_goes_on_over_two_lines", 5, 12],
            ["feature:DISULFID", 2, 3],
            ["feature:DISULFID", 8, 9],
            ["feature:BINDING:ATP", 7, 8],
        ],
        "P2": [
            ["feature:SIGNAL", 0, 5],
            ["feature:DOMAIN:SH3", 5, 12],
            ["feature:TRANSMEM", 5, 12],
            ["feature:ACT_SITE", 3, 4],
            ["feature:DISULFID", 2, 3],
            ["feature:DISULFID", 8, 9],
        ],
    }
    assert source.counts == {
        "n_rows": 2,
        "n_features": 11,
        "n_features_partial": 1,
        "n_features_at_unknown_position": 1,
        "n_features_of_isoforms": 0,
        "n_features_of_other_kinds": 1,
    }


def test_features_are_read_only_where_asked_for(tmp_path: Path):
    text = (Path(__file__).parent / "data/features.dat").read_text()
    path = tmp_path / "x.dat"
    path.write_text(text.replace("FT   SIGNAL          1..5\n", ""))
    assert [len(record.features) for record in read_swissprot(path, "sequences")] == [0, 0]
    with pytest.raises(InputError, match=r"x.dat:4: 'FT .*evidence=.* continues a feature where none begins"):
        read_features(path)
    path.write_text(text.replace("6..12", "6-12"))
    with pytest.raises(InputError, match=r"x.dat:6: '<6-12' is no position of a DOMAIN feature"):
        read_features(path)


def test_a_table_without_feature_columns_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"features.tsv:1: no feature column; expected .* Active site"):
        read_feature_table(write(tmp_path, "Entry\tSequence\nP1\tACD\n"))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='DOMAIN SIGNAL?<>.;:/"=123note-', max_size=60) | st.text(max_size=30))
def test_any_text_gives_features_or_a_clear_error(text: str):
    counts: Counter[str] = Counter()
    try:
        found = parse_features(text, "x:2", counts)
    except InputError as error:
        assert str(error).startswith("x:2: ")
    else:
        assert (
            len(found) + sum(n for name, n in counts.items() if name != "n_features") == counts["n_features"]
        )


@pytest.mark.parametrize(
    ("kind", "notes", "concept"),
    [
        ("MOD_RES", ["Sulfotyrosine", "Sulfotyrosine; by PKA", "Sulfotyrosine; alternate"], "Sulfotyrosine"),
        ("DOMAIN", ["RRM", "RRM 1", "RRM 12; atypical", "RRM 2; truncated; degenerate"], "RRM"),
        ("ZN_FING", ["CCHC-type 3; low affinity", "CCHC-type"], "CCHC-type"),
        ("REPEAT", ["WD 4; approximate", "WD 1-2", "WD"], "WD"),
        ("REPEAT", ["7", "3; approximate", "1-4", "2.3", "B", "A-2", "IV", "A1; half-length"], ""),
        ("REGION", ["4", "II; loop"], ""),
        ("METAL", ["Iron-sulfur 2 (4Fe-4S)", "Iron-sulfur (4Fe-4S); via amide"], "Iron-sulfur (4Fe-4S)"),
        ("METAL", ["Zinc 1; catalytic", "Zinc"], "Zinc"),
        ("DOMAIN", ["C2", "C2 1", "C2 2; truncated"], "C2"),
        ("TRANSIT", ["Mitochondrion", "Mitochondrion; not cleaved"], "Mitochondrion"),
        ("REGION", ['Loop ""L1""; flexible', 'Loop ""L1""'], 'Loop "L1"'),
        ("REGION", ['Site "a" of 2 parts', 'Site "a" of 2 parts; mobile'], 'Site "a" of 2 parts'),
    ],
)  # fmt: skip
def test_notes_that_differ_in_qualifier_or_copy_are_one_concept(
    tmp_path: Path, kind: str, notes: list[str], concept: str
):
    cells = "; ".join(
        f'{kind} {i}..{i + 1}; /note="{note}"; /evidence="ECO:1"' for i, note in enumerate(notes, 1)
    )
    source = read_feature_table(write(tmp_path, f"Entry\t{COLUMN_OF_KIND[kind]}\nP1\t{cells}\n"))
    expected = f"feature:{kind}" + f":{concept.replace(' ', '_')}" * bool(concept)
    assert source.spans["term_id"].tolist() == [expected] * len(notes)
    assert source.spans["start"].tolist() == list(range(len(notes)))


def test_notes_of_flat_files_wrap_within_words_and_before_slashes(tmp_path: Path):
    lines = (
        "ID   X_Y                     Reviewed;          12 AA.\nAC   P1;\n"
        "FT   REGION          2..5\n"
        'FT                   /note="Binds the G-\n'
        "FT                   protein alpha subunit and the kinase\n"
        'FT                   /phosphatase pair"\nFT                   /evidence="ECO:1"\n'
        "FT   LIPID        3      3       GPI-anchor amidated serine; by host\n"
        "FT                                (By similarity).\nFT                                /FTId=LIP_7.\n"
        "SQ   SEQUENCE   12 AA;  1300 MW;  0000000000000000 CRC64;\n     MKTAYIAKQR QI\n//\n"
    )
    (tmp_path / "x.dat").write_text(lines)
    names = read_features(tmp_path / "x.dat").terms["term_id"].tolist()
    assert "feature:REGION:Binds_the_G-protein_alpha_subunit_and_the_kinase_/phosphatase_pair" in names
    assert "feature:LIPID:GPI-anchor_amidated_serine" in names


def test_cells_of_exports_before_2019_are_read(tmp_path: Path):
    cell = "DOMAIN 2 9 SH3 1. {ECO:0000255|X:Y}.; DOMAIN 11 15 SH3 2 (By similarity).; DOMAIN 3 3 Potential."
    source = read_feature_table(write(tmp_path, f"Entry\tDomain [FT]\nP1\t{cell}\n"))
    assert sorted(source.spans[["term_id", "start", "end"]].to_numpy().tolist()) == [
        ["feature:DOMAIN", 2, 3],
        ["feature:DOMAIN:SH3", 1, 9],
        ["feature:DOMAIN:SH3", 10, 15],
    ]


def test_tables_that_other_programs_quoted_are_the_same_table(tmp_path: Path):
    plain = read_feature_table(write(tmp_path, TABLE))
    rows = [line.split("\t") for line in TABLE.splitlines()]
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        path = tmp_path / f"quoted_{quoting}.tsv"
        with path.open("w", newline="") as file:
            csv.writer(file, delimiter="\t", quoting=quoting, lineterminator="\n").writerows(rows)
        assert '""' in path.read_text()
        quoted = read_features(path)
        assert quoted.spans.equals(plain.spans)
        assert quoted.counts == plain.counts
