"""The table of distinct sequences: merges are counted, nothing disappears."""

from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from protsae.core.errors import InputError
from protsae.sequences.table import SequenceTableConfig, read_held_back, sequence_table

FASTA = (
    ">c third\nMKVL\n>sp|b|B_NAME second\nACDEF\n>a first\nmkvl*\n>b again\nACDEF\n"
    ">d\nGG\n>e\nWWWWWWWW\n>0 zero\nMKVL\n"
)


def _table(folder: Path, text: str, **config):
    path = folder / "proteins.fasta"
    path.write_text(text)
    return sequence_table(path, SequenceTableConfig(**config))


def test_one_row_per_distinct_sequence_and_every_record_accounted_for(tmp_path: Path) -> None:
    table, report = _table(tmp_path, FASTA)
    expected = pd.DataFrame(
        {
            "protein_id": ["0", "b", "d", "e"],
            "description": ["zero", "B_NAME second", "", ""],
            "sequence": ["MKVL", "ACDEF", "GG", "WWWWWWWW"],
            "length": pd.Series([4, 5, 2, 8], dtype="int32"),
            "aliases": ["a;c", "", "", ""],
        }
    )
    pd.testing.assert_frame_equal(table, expected)
    assert report == {
        "source": "proteins.fasta",
        "format": "fasta",
        "n_records": 7,
        "n_merged_by_id": 1,
        "n_merged_by_sequence": 2,
        "n_too_short": 0,
        "n_too_long": 0,
        "n_not_sampled": 0,
        "n_held_back": 0,
        "too_short_ids": [],
        "too_long_ids": [],
        "n_proteins": 4,
        "n_residues": 19,
        "min_length": 2,
        "max_length": 8,
        "residue_policy": {"n_lower_case": 4, "n_trailing_stops": 1},
    }


def test_what_a_length_limit_leaves_out_is_listed(tmp_path: Path) -> None:
    table, report = _table(tmp_path, FASTA, min_residues=4, max_residues=5)
    assert list(table["protein_id"]) == ["0", "b"]
    assert (report["too_short_ids"], report["too_long_ids"]) == (["d"], ["e"])
    counts = ("n_merged_by_id", "n_merged_by_sequence", "n_too_short", "n_too_long", "n_proteins")
    assert sum(report[name] for name in counts) == report["n_records"] == 7


def test_a_larger_sample_holds_the_smaller_one(tmp_path: Path) -> None:
    text = "".join(f">P{i}\n{'ACDEFGHIKL'[i % 10] * (i + 1)}\n" for i in range(40))
    everything, _ = _table(tmp_path, text)
    drawn = [_table(tmp_path, text, n_sampled=n) for n in (5, 12, 40)]
    ids = [set(table["protein_id"]) for table, _ in drawn]
    assert [len(found) for found in ids] == [5, 12, 40]
    assert ids[0] < ids[1]
    assert ids[0] != {f"P{i}" for i in range(5)}
    assert [report["n_not_sampled"] for _, report in drawn] == [35, 28, 0]
    pd.testing.assert_frame_equal(drawn[2][0], everything)
    assert drawn[1][0]["protein_id"].is_monotonic_increasing
    assert drawn[0][1]["n_merged_by_sequence"] == 0


def test_proteins_held_back_are_left_out_under_any_of_their_ids_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "proteins.fasta"
    path.write_text(FASTA)
    everything, _ = sequence_table(path, SequenceTableConfig())
    table, report = sequence_table(path, SequenceTableConfig(), {"c", "e", "gone"})  # c is an alias of 0
    assert list(table["protein_id"]) == ["b", "d"]
    assert report["n_held_back"] == 2
    assert report["n_proteins"] == 2
    expected = everything[everything["protein_id"].isin(["b", "d"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, expected)
    with pytest.raises(InputError, match=r"proteins.fasta: all 4 proteins are held back.*raw_held_back"):
        sequence_table(path, SequenceTableConfig(), {"0", "b", "d", "e"})


def test_a_sample_holds_the_same_proteins_whatever_is_held_back_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "proteins.fasta"
    path.write_text("".join(f">P{i}\n{'ACDEFGHIKL'[i % 10] * (i + 1)}\n" for i in range(40)))
    config = SequenceTableConfig(n_sampled=12)
    drawn = set(sequence_table(path, config)[0]["protein_id"])
    outside = {f"P{i}" for i in range(40)} - drawn
    table, report = sequence_table(path, config, outside)
    assert set(table["protein_id"]) == drawn
    assert (report["n_not_sampled"], report["n_held_back"]) == (28, 0)
    one = min(drawn)
    table, report = sequence_table(path, config, {one})  # no other takes its place
    assert set(table["protein_id"]) == drawn - {one}
    assert (report["n_not_sampled"], report["n_held_back"]) == (28, 1)


def test_the_list_of_proteins_held_back_is_a_table_with_a_column_of_accessions(tmp_path: Path) -> None:
    path = tmp_path / "locked.tsv"
    path.write_text("cluster_id\taccession\nC1\tP1\nC1\tP2\n")
    assert read_held_back(path) == {"P1", "P2"}
    path.write_text("P1\nP2\n")
    with pytest.raises(InputError, match=r"locked\.tsv:1: the header has no column accession"):
        read_held_back(path)


def test_the_order_of_the_records_does_not_matter(tmp_path: Path) -> None:
    records = [f">{part}" for part in FASTA.split(">")[1:]]
    table, _ = _table(tmp_path, "".join(records))
    shuffled, _ = _table(tmp_path, "".join(record for record in reversed(records) if "again" not in record))
    pd.testing.assert_frame_equal(table, shuffled)


def test_one_id_with_two_sequences_names_both_lines(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"proteins\.fasta:4: id 'P1' is already in line 1, with another sequence"
    ):
        _table(tmp_path, ">sp|P1|X\nMKV\nLL\n>P1\nMKV\n")


def test_limits_that_leave_nothing_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of 5 sequences has 50 to 100000 residues"):
        _table(tmp_path, ">a\nMK\n>b\nM\n>c\nK\n>d\nA\n>e\nC\n", min_residues=50)
    with pytest.raises(ValidationError, match="max_residues 3 is below min_residues 4"):
        SequenceTableConfig(min_residues=4, max_residues=3)
