"""Which sequences are scored, and what is masked in them."""

import numpy as np
import pandas as pd
import pytest

from protsae.core.errors import InputError
from protsae.fidelity.config import SequencesConfig
from protsae.fidelity.sequences import SEQUENCE_COLUMNS, choose_sequences

SETTINGS = SequencesConfig(n_long=3, max_residues=100)


def table(**sequences):
    """Return proteins named by split: train0, test1, ..."""
    return pd.DataFrame(
        [(name, name.rstrip("0123456789"), f"c-{name}", text) for name, text in sequences.items()],
        columns=["protein_id", "split", "cluster_id", "sequence"],
    )


def chosen(proteins, **settings):
    config = SETTINGS.model_copy(update=settings)
    found, report = choose_sequences(proteins, proteins["protein_id"], config)
    return found.set_index("sequence_id"), report


def test_a_share_of_the_amino_acids_is_masked_whatever_else_there_is():
    proteins = table(train0="A" * 50, test0="ACDEFGHIKLMNPQRSTVWY" * 2 + "X" * 9, test1="XXW", test2="UBZ")
    found, report = chosen(proteins, n_long=0)
    assert list(found.index) == ["test0", "test1"]
    assert found.loc["test1", "masked"] == [2]  # at least one
    masked = found.loc["test0", "masked"]
    assert len(masked) == 6  # 15 % of 40
    assert masked == sorted(set(masked))
    assert max(masked) < 40
    assert report["left_out"]["sequences_without_amino_acids"] == 1
    assert report["n_masked"] == {"protein": 7}
    alone, _ = chosen(proteins[proteins["protein_id"] != "test1"], n_long=0)
    assert alone.loc["test0", "masked"] == masked
    twin, _ = chosen(table(train0="A", test0="ACDEFGHIKLMNPQRSTVYW" * 2), n_long=0)
    assert twin.loc["test0", "masked"] != masked  # as long, another sequence
    other, _ = chosen(proteins, n_long=0, seed=1)
    assert other.loc["test0", "masked"] != masked


def test_only_stored_proteins_of_the_test_split_take_part():
    proteins = table(train0="A" * 9, validation0="C" * 9, test0="D" * 9, test1="E" * 9, excluded0="F" * 9)
    found, report = choose_sequences(proteins, ["train0", "test1"], SETTINGS)
    assert tuple(found.columns) == SEQUENCE_COLUMNS
    assert found["sequence"].tolist() == ["E" * 9]
    assert found["cluster_id"].tolist() == ["c-test1"]
    assert report["scored"] == {"protein": 1, "whole": 0, "joined": 0}


def test_sample_depends_on_the_seed_and_counts_the_rest():
    proteins = table(train0="A", **{f"test{i}": "ACDEF"[i % 5] * (i + 1) for i in range(20)})
    found, report = chosen(proteins, max_proteins=8, n_long=0)
    assert len(found) == 8
    assert report["left_out"]["test_proteins_not_drawn"] == 12
    assert list(found.index) == sorted(found.index)
    assert set(chosen(proteins, max_proteins=8, n_long=0, seed=3)[0].index) != set(found.index)


def test_long_sequences_are_proteins_first_then_joined_ones():
    proteins = table(train0="A" * 40, test0="C" * 70, test1="D" * 25, test2="E" * 30, test3="F" * 28)
    found, report = chosen(proteins)
    assert report["longest_stretch_in_training"] == 40
    assert found.loc["test0 whole", ["kind", "length", "cluster_id"]].tolist() == ["whole", 70, "c-test0"]
    joined = found[found["kind"] == "joined"]
    assert len(joined) == 2
    assert (joined["length"] > 40).all()
    letters = ["".join(dict.fromkeys(text)) for text in joined["sequence"]]
    assert not set(letters[0]) & set(letters[1])  # a protein is in one of them
    assert joined["cluster_id"].tolist() == joined.index.tolist()


def test_longest_stretch_is_one_window_if_proteins_are_longer():
    proteins = table(train0="A" * 900, test0="C" * 130, test1="D" * 400)
    _, report = chosen(proteins, max_whole_residues=300)
    assert report["longest_stretch_in_training"] == 100
    assert report["scored"]["whole"] == 1
    assert report["left_out"]["long_proteins_not_run_whole"] == 1


def test_without_anything_to_guess_it_stops():
    with pytest.raises(InputError, match="there is nothing to guess"):
        chosen(table(train0="A", test0="XX"))


def test_masks_fall_on_every_part_of_a_sequence_alike():
    proteins = table(train0="A", **{f"test{i}": "ACDEFGHIKLMNPQRSTVWY" * 2 for i in range(1)})
    counts = np.zeros(40)
    for seed in range(400):
        counts[chosen(proteins, n_long=0, seed=seed)[0]["masked"].iloc[0]] += 1
    assert counts.min() > 30
    assert counts.max() < 95  # 60 on average
