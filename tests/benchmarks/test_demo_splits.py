"""Spreads over splits and seeds, and means over common concepts, by hand."""

import numpy as np
import pandas as pd
import pytest
from tests.benchmarks.scripts import load_script

script = load_script("demo_splits")


def rows(values, width=0.392):
    """One metric of one method: salt to values over seeds."""
    return pd.DataFrame(
        [
            {"salt": salt, "seed": seed, "method": "m", "metric": "auc", "concepts": "own", "value": value}
            for salt, of_salt in values.items()
            for seed, value in enumerate(of_salt)
        ]
    ).assign(low=lambda t: t["value"] - width / 2, high=lambda t: t["value"] + width / 2)


def test_variance_is_shared_out_between_splits_and_seeds():
    (found,) = script.spreads(rows({"a": [0.6, 0.8], "b": [0.3, 0.5]})).to_dict("records")
    assert found["mean"] == pytest.approx(0.55)
    assert found["seed_sd"] == pytest.approx(0.02**0.5)
    assert found["split_sd"] == pytest.approx((0.045 - 0.02 / 2) ** 0.5)
    assert found["within_sd"] == pytest.approx(0.1)
    assert (found["n_salts"], found["n_seeds"]) == (2, 2)


def test_seeds_that_explain_all_leave_nothing_to_splits():
    (found,) = script.spreads(rows({"a": [0.4, 0.6], "b": [0.6, 0.4]})).to_dict("records")
    assert found["split_sd"] == 0
    (single,) = script.spreads(rows({"a": [0.4]})).to_dict("records")
    assert np.isnan(single["split_sd"]) and np.isnan(single["seed_sd"])
    (unseeded,) = script.spreads(rows({"a": [0.4], "b": [0.6]})).to_dict("records")
    assert unseeded["split_sd"] == pytest.approx(0.02**0.5) and np.isnan(unseeded["seed_sd"])


def test_common_concepts_are_those_of_every_split():
    concepts = pd.DataFrame(
        [
            *(("s", 0, "m", concept, aspect, auc, auc / 2) for concept, aspect, auc in (
                ("a", "BPO", 0.6), ("b", "BPO", 0.8), ("c", "CCO", 0.9), ("only", "CCO", 0.0)
            )),
            *(("t", 0, "m", concept, aspect, auc, auc / 2) for concept, aspect, auc in (
                ("a", "BPO", 0.4), ("b", "BPO", 0.6), ("c", "CCO", 0.7)
            )),
            *((salt, 0, "n", concept, aspect, 0.5, 0.1) for salt in "st" for concept, aspect in (
                ("a", "BPO"), ("b", "BPO"), ("c", "CCO")
            )),
        ],
        columns=["salt", "seed", "method", "concept_id", "aspect", "auc", "average_precision"],
    )  # fmt: skip
    found = script.over_common(concepts, ["m - n", "m - absent"]).set_index(["salt", "method", "metric"])
    assert found.loc[("s", "m", "auc"), "value"] == pytest.approx((0.7 + 0.9) / 2)
    assert found.loc[("t", "m", "aupr"), "value"] == pytest.approx((0.25 + 0.35) / 2)
    assert found.loc[("t", "m - n", "auc"), "value"] == pytest.approx(0.6 - 0.5)
    assert set(found["n"]) == {3} and set(found["concepts"]) == {"common"}
    assert "m - absent" not in found.index.get_level_values("method")
    once = pd.concat(
        [concepts, concepts[concepts["method"].eq("n") & concepts["salt"].eq("s")].assign(method="f")]
    )
    found = script.over_common(once, ["m - f"]).set_index(["salt", "method", "metric"])
    assert ("s", "m - f", "auc") in found.index and ("t", "m - f", "auc") not in found.index
    assert found["value"].notna().all()


def test_the_summary_has_a_row_for_each_method():
    table = rows({"a": [0.6, 0.8], "b": [0.3, 0.5]})
    other = table.assign(method="n", metric="fmax")[table["salt"] == "a"]
    lines = script.as_markdown(script.spreads(pd.concat([table, other])))
    assert lines[0] == "| method | splits x seeds | auc, own | fmax, own |"
    assert lines[2] == "| `m` | 2 x 2 | 0.550 (0.187, 0.141, 0.100) |  |"
    assert lines[3] == "| `n` | 1 x 2 |  | 0.700 (–, 0.141, 0.100) |"
