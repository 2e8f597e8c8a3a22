"""The audit: relatives across the split are found, counted, and excluded or refused."""

import numpy as np
import pandas as pd
import pytest

from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator
from protsae.sequences.audit import AuditConfig, audit_split
from protsae.sequences.seeds import RESIDUES

CONFIG = AuditConfig()
RNG = numpy_generator(0, "audit")
PARENT, OTHER, THIRD, FOURTH, FIFTH = ("".join(RNG.choice(list(RESIDUES), 120)) for _ in range(5))


def _swap(sequence: str, n: int) -> str:
    """Change n residues, evenly spaced and away from the ends, so that the alignment spans all."""
    positions = np.linspace(10, len(sequence) - 11, n).astype(int)
    changed = list(sequence)
    for position in positions:
        changed[position] = "W" if sequence[position] != "W" else "P"
    return "".join(changed)


def _tables(rows: list[tuple[str, str, str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    ids, sequences, splits = zip(*rows, strict=True)
    table = pd.DataFrame({"protein_id": ids, "description": "", "sequence": sequences, "aliases": ""})
    table["length"] = table["sequence"].str.len().astype("int32")
    assignment = pd.DataFrame({"protein_id": ids, "cluster_id": ids, "split": splits})
    return table, assignment


ROWS = [
    ("a_train", PARENT, "train"),
    ("b_train", _swap(OTHER, 12), "train"),
    ("c_val", _swap(PARENT, 30), "validation"),
    ("d_val", THIRD, "validation"),
    ("e_test", OTHER, "test"),
    ("f_test", _swap(THIRD, 24), "test"),
    ("g_test", FOURTH, "test"),
    ("h_test", FIFTH, "test"),
]


def test_relatives_of_train_are_excluded_and_every_number_is_right() -> None:
    sequences, assignment = _tables(ROWS)
    proteins, audit = audit_split(sequences, assignment.sample(frac=1, random_state=0), CONFIG)
    assert list(proteins.columns) == [
        "protein_id", "sequence", "length", "description", "aliases", "cluster_id", "split",
        "nearest_train_id", "nearest_train_identity",
    ]  # fmt: skip
    assert list(proteins["protein_id"]) == sorted(row[0] for row in ROWS)
    assert list(proteins["split"]) == [
        "train", "train", "excluded", "validation", "excluded", "test", "test", "test"
    ]  # fmt: skip
    assert list(proteins["nearest_train_id"]) == ["", "", "a_train", "", "b_train", "", "", ""]
    expected = [np.nan, np.nan, 0.75, np.nan, 0.9, np.nan, np.nan, np.nan]
    np.testing.assert_allclose(proteins["nearest_train_identity"], expected, atol=1e-12)
    assert proteins["length"].dtype == "int32"
    common = {"min_identity": 0.3, "min_coverage": 0.7, "method": "protsae.sequences.homology"}
    columns = [
        "split",
        "against",
        "n_proteins",
        "n_searched",
        "n_with_relative",
        "share_with_relative",
        "n_excluded",
    ]
    rows = [
        ("validation", "train", 2, 2, 1, 0.5, 1),
        ("test", "train", 4, 4, 1, 0.25, 1),
        ("test", "validation", 3, 3, 1, 1 / 3, 0),  # f_test and d_val: told, not excluded
    ]
    expected_audit = pd.DataFrame([dict(zip(columns, row, strict=True)) | common for row in rows])
    pd.testing.assert_frame_equal(audit, expected_audit)


def test_the_inputs_are_left_as_they_were() -> None:
    sequences, assignment = _tables(ROWS)
    before = sequences.copy(), assignment.copy()
    audit_split(sequences, assignment, CONFIG)
    pd.testing.assert_frame_equal(sequences, before[0])
    pd.testing.assert_frame_equal(assignment, before[1])


def test_below_the_threshold_the_nearest_is_kept_for_bands_and_nothing_is_excluded() -> None:
    config = AuditConfig.model_validate({"search": {"min_identity": 0.95}})
    proteins, audit = audit_split(*_tables(ROWS), config)
    assert "excluded" not in set(proteins["split"])
    assert audit["n_with_relative"].tolist() == [0, 0, 0]
    assert dict(zip(proteins["protein_id"], proteins["nearest_train_identity"], strict=True))["e_test"] == 0.9


def test_a_leak_stops_the_run_if_so_asked() -> None:
    with pytest.raises(
        InputError, match=r"2 validation and test proteins .* c_val and a_train \(75%\), e_test and b"
    ):
        audit_split(*_tables(ROWS), AuditConfig(on_leak="fail"))
    clean = [row for row in ROWS if row[0] not in {"c_val", "e_test"}]
    proteins, _ = audit_split(*_tables(clean), AuditConfig(on_leak="fail"))
    assert len(proteins) == 6


def test_a_split_that_the_audit_empties_is_an_error() -> None:
    rows = [row for row in ROWS if row[0] != "d_val"]
    with pytest.raises(InputError, match="every protein of validation has a relative in train"):
        audit_split(*_tables(rows), CONFIG)
