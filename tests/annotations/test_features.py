"""UniProt features: locations, notes and what is counted instead of read."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.annotations.features import parse_features, read_feature_table, read_features
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
        ["P2", "feature:BINDING:ATP;_DOMAIN_A", 6, 8],
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
