"""The audit: relatives across the split are found, counted, and excluded or refused."""

import numpy as np
import pandas as pd
import pytest

from protsae.core.errors import InputError
from protsae.core.files import sha256_text
from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator
from protsae.sequences.audit import AuditConfig, RelativeConfig, audit_split, draw, wilson_interval
from protsae.sequences.homology import Hit

CONFIG = AuditConfig()
RNG = numpy_generator(0, "audit")
PARENT, OTHER, THIRD, FOURTH, FIFTH = ("".join(RNG.choice(list(AMINO_ACIDS), 120)) for _ in range(5))
FAR = ["".join(RNG.choice(list(AMINO_ACIDS), 120)) for _ in range(20)]


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
        "is_audited", "nearest_train_id", "nearest_train_identity", "nearest_train_coverage",
    ]  # fmt: skip
    assert list(proteins["protein_id"]) == sorted(row[0] for row in ROWS)
    assert list(proteins["split"]) == [
        "train", "train", "excluded", "validation", "excluded", "test", "test", "test"
    ]  # fmt: skip
    assert list(proteins["nearest_train_id"]) == ["", "", "a_train", "", "b_train", "", "", ""]
    expected = [np.nan, np.nan, 0.75, np.nan, 0.9, np.nan, np.nan, np.nan]
    np.testing.assert_allclose(proteins["nearest_train_identity"], expected, atol=1e-12)
    assert proteins["length"].dtype == "int32"
    assert proteins["is_audited"].tolist() == [False] * 2 + [True] * 6
    common = {
        "min_identity": 0.3,
        "min_query_coverage": 0.5,
        "min_alignment_length": 80,
        "min_target_coverage": 0.0,
        "max_e_value": 0.001,
        "method": "builtin",
    }
    # Bands of the nearest: no hit, below 20, 20 to 30, 30 to 50, above 50 %; Wilson intervals by hand.
    rows = [
        ("validation", "train", 2, 2, 1, 0.5, 0.0945312, 0.9054688, 1, 1, 0, 0, 0, 1),
        ("test", "train", 4, 4, 1, 0.25, 0.0455873, 0.6993582, 1, 3, 0, 0, 0, 1),
        ("test", "validation", 3, 3, 1, 1 / 3, 0.0614920, 0.7923404, 0, 2, 0, 0, 0, 1),  # told, not excluded
    ]
    columns = [
        *("split", "against", "n_proteins", "n_searched", "n_with_relative", "share_with_relative"),
        *("share_low", "share_high", "n_excluded", "n_no_hit", "n_below_20", "n_20_to_30"),
        *("n_30_to_50", "n_above_50"),
    ]
    expected_audit = pd.DataFrame([dict(zip(columns, row, strict=True)) | common for row in rows])
    pd.testing.assert_frame_equal(audit, expected_audit, rtol=1e-6)


def test_the_inputs_are_left_as_they_were() -> None:
    sequences, assignment = _tables(ROWS)
    before = sequences.copy(), assignment.copy()
    audit_split(sequences, assignment, CONFIG)
    pd.testing.assert_frame_equal(sequences, before[0])
    pd.testing.assert_frame_equal(assignment, before[1])


def test_nearest_below_the_threshold_is_kept_but_not_excluded() -> None:
    config = AuditConfig.model_validate({"relatives": {"min_identity": 0.95}})
    proteins, audit = audit_split(*_tables(ROWS), config)
    assert "excluded" not in set(proteins["split"])
    assert audit["n_with_relative"].tolist() == [0, 0, 0]
    assert dict(zip(proteins["protein_id"], proteins["nearest_train_identity"], strict=True))["e_test"] == 0.9


def test_a_leak_stops_the_run_if_so_asked() -> None:
    message = (
        r"^1 of 2 searched validation proteins \(50%, 95 % interval 9% to 91%\) and 1 of 4 searched test "
        r"proteins .* such as c_val and a_train \(75%\), e_test and b_train \(90%\); at most 5% may"
    )
    with pytest.raises(InputError, match=message):
        audit_split(*_tables(ROWS), AuditConfig(on_leak="fail"))
    with pytest.raises(InputError, match=r"^1 of 2 searched validation proteins \(50%.*; at most 40% may"):
        audit_split(*_tables(ROWS), AuditConfig(on_leak="fail", max_leak_share=0.4))
    proteins, _ = audit_split(*_tables(ROWS), AuditConfig(on_leak="fail", max_leak_share=0.5))
    assert (proteins["split"] == "excluded").sum() == 2
    clean = [row for row in ROWS if row[0] not in {"c_val", "e_test"}]
    proteins, _ = audit_split(*_tables(clean), AuditConfig(on_leak="fail", max_leak_share=0))
    assert len(proteins) == 6


def test_too_many_leaks_bring_a_warning_and_few_do_not(caplog) -> None:
    audit_split(*_tables(ROWS), AuditConfig(max_leak_share=0.25))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages[0].startswith("1 of 2 searched validation proteins (50%, 95 % interval 9% to 91%)")
    assert caplog.messages[0].endswith("miss fragments and shared domains.")


def test_sampled_audit_excludes_searched_proteins_only(caplog) -> None:
    rows = [("train", PARENT, "train"), ("val", THIRD, "validation")]
    rows += [(f"t{n:02}", _swap(PARENT, n) if n % 2 else FAR[n], "test") for n in range(20)]
    sequences, assignment = _tables(rows)
    config = AuditConfig(n_sampled=8, complete_up_to=len(rows) - 1)
    proteins, audit = audit_split(sequences, assignment, config)
    ids = sorted((f"t{n:02}" for n in range(20)), key=lambda name: sha256_text("audit", name))[:8]
    searched = {"val", *ids}
    assert set(proteins.loc[proteins["is_audited"], "protein_id"]) == searched
    leaking = {name for name in ids if int(name[1:]) % 2}
    assert 1 < len(leaking) < 8
    assert set(proteins.loc[proteins["split"] == "excluded", "protein_id"]) == leaking
    known = proteins["nearest_train_id"] != ""
    assert set(proteins.loc[known, "protein_id"]) == leaking
    test = audit.iloc[1]
    n = len(leaking)
    assert test[["n_proteins", "n_searched", "n_with_relative", "n_excluded"]].tolist() == [20, 8, n, n]
    assert test["share_with_relative"] == n / 8
    assert audit.iloc[2][["n_proteins", "n_searched"]].tolist() == [20 - n, 8 - n]
    (message,) = caplog.messages
    assert f"About {round(n / 8 * 12)} of the 12 test proteins that were not searched" in message
    assert message.endswith("set splitting.audit.n_sampled: null")
    # The draw follows from the ids: order and other proteins' splits do not matter, a larger sample holds it.
    assert set(draw(dict.fromkeys(reversed(ids), ""), 3)) <= set(draw(dict.fromkeys(ids, ""), 5))
    again, _ = audit_split(sequences[::-1], assignment.sample(frac=1, random_state=1), config)
    pd.testing.assert_frame_equal(proteins, again)


def test_wilson_intervals_are_those_of_scipy() -> None:
    from scipy.stats import binomtest

    for n_hits, n in ((0, 10), (3, 10), (10, 10), (64, 100), (1, 500)):
        interval = binomtest(n_hits, n).proportion_ci(method="wilson")
        assert wilson_interval(n_hits, n) == pytest.approx((interval.low, interval.high), abs=1e-7)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("identity", [0.9, 0.4])
def test_the_audit_finds_every_planted_relative(identity: float) -> None:
    rng = numpy_generator(0, "planted leaks", str(identity))
    rows = [(f"train{n:02}", "".join(rng.choice(list(AMINO_ACIDS), 150)), "train") for n in range(25)]
    rows += [(f"leak{n:02}", _swap(rows[n][1], round(150 * (1 - identity))), "test") for n in range(10)]
    rows += [(f"clean{n:02}", "".join(rng.choice(list(AMINO_ACIDS), 150)), "test") for n in range(15)]
    rows.append(("val", "".join(rng.choice(list(AMINO_ACIDS), 150)), "validation"))
    proteins, audit = audit_split(*_tables(rows), AuditConfig())
    excluded = proteins[proteins["split"] == "excluded"]
    assert excluded["protein_id"].tolist() == [f"leak{n:02}" for n in range(10)]
    assert excluded["nearest_train_id"].tolist() == [f"train{n:02}" for n in range(10)]
    assert excluded["nearest_train_identity"].between(identity - 0.02, identity + 0.1).all()
    assert audit["n_with_relative"].tolist() == [0, 10, 0]
    assert audit["share_with_relative"].tolist() == [0, 0.4, 0]


def test_data_of_few_proteins_are_searched_in_full() -> None:
    sequences, assignment = _tables(ROWS)
    proteins, audit = audit_split(sequences, assignment, AuditConfig(n_sampled=1, complete_up_to=len(ROWS)))
    assert audit["n_searched"].tolist() == [2, 4, 3]
    assert proteins["is_audited"].sum() == 6


def _hit(identity: float, length: int, query: float, target: float) -> Hit:
    return Hit("q", "t", identity, length, query, target, 1e-9)


@pytest.mark.parametrize(
    ("hit", "related"),
    [
        (_hit(0.30, 60, 0.50, 0.05), True),  # half of the held-out protein
        (_hit(0.30, 60, 0.49, 0.90), False),
        (_hit(0.30, 80, 0.10, 0.05), True),  # long enough, whatever it covers
        (_hit(0.30, 79, 0.10, 0.90), False),
        (_hit(0.29, 300, 1.00, 1.00), False),
    ],
)
def test_a_relative_covers_half_of_the_held_out_protein_or_eighty_columns(hit: Hit, related: bool) -> None:
    assert RelativeConfig().holds(hit) is related


def test_both_proteins_can_be_asked_to_be_covered() -> None:
    both = RelativeConfig(min_query_coverage=0.7, min_target_coverage=0.7, min_alignment_length=None)
    assert both.holds(_hit(0.3, 70, 0.7, 0.7))
    assert not both.holds(_hit(0.9, 400, 1.0, 0.69))
    assert not both.holds(_hit(0.9, 400, 0.69, 1.0))


def test_fragments_and_shared_domains_are_relatives() -> None:
    domain, stranger = PARENT[:100], "".join(FAR)  # 20 x 120 residues
    rows = [
        ("train", stranger[:700] + domain + stranger[700:1400], "train"),
        ("fragment", stranger[300:360], "test"),  # all of a short test protein, 4 % of the training protein
        ("domain", stranger[1500:1900] + domain + stranger[1900:2300], "test"),  # a ninth of both
        ("clean", FIFTH, "test"),
        ("val", FOURTH, "validation"),
    ]
    proteins, _ = audit_split(*_tables(rows), CONFIG)
    found = proteins.set_index("protein_id")
    assert found["split"].to_dict() == {
        "clean": "test", "domain": "excluded", "fragment": "excluded", "train": "train", "val": "validation",
    }  # fmt: skip
    assert found.loc["fragment", "nearest_train_coverage"] == 1
    assert found.loc["domain", "nearest_train_coverage"] == pytest.approx(100 / 900, abs=0.02)


def test_the_nearest_is_the_most_identical_relative_or_else_the_most_significant_hit() -> None:
    short = _swap(PARENT[:60], 6)  # 90 % of 60 of the test protein's 140 residues: no relative
    rows = [
        ("train_short", short + OTHER, "train"),
        ("test", PARENT + FAR[0][:20], "test"),
        ("val", FOURTH, "validation"),
        ("rest", FIFTH, "test"),
    ]
    nearest = audit_split(*_tables(rows), CONFIG)[0].set_index("protein_id").loc["test"]
    assert (nearest["split"], nearest["nearest_train_id"]) == ("test", "train_short")
    rows.append(("train_long", _swap(PARENT, 48), "train"))  # 60 % over all: a relative, less identical
    nearest = audit_split(*_tables(rows), CONFIG)[0].set_index("protein_id").loc["test"]
    assert (nearest["split"], nearest["nearest_train_id"]) == ("excluded", "train_long")


def test_a_split_that_the_audit_empties_is_an_error() -> None:
    rows = [row for row in ROWS if row[0] != "d_val"]
    with pytest.raises(InputError, match="every protein of validation has a relative in train"):
        audit_split(*_tables(rows), CONFIG)
