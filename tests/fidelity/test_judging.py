"""Metrics of sums, by hand and by a slow reference."""

import numpy as np
import pandas as pd
import pytest
from tests.fidelity.conftest import RUN

from protsae.core.errors import InputError
from protsae.fidelity.config import FidelityMetricsConfig
from protsae.fidelity.densities import density_histogram
from protsae.fidelity.judging import length_band_names, loss_recovered, loss_rows, reconstruction_rows

CONFIG = FidelityMetricsConfig(length_bands=(10, 20), n_resamples=200)
KEY = ["sequence_id", "kind", "cluster_id", "length", "residue", "n_masked"]
BASELINE = pd.DataFrame(
    [
        # clean, mean, zero, and the two at unmasked residues
        ("A", "protein", "c1", 10, "C", 2, 2.0, 4.0, 6.0, 3.0, 4.0),
        ("A", "protein", "c1", 10, "D", 1, 1.0, 2.0, 3.0, 2.0, 2.0),
        ("B", "protein", "c2", 30, "C", 3, 3.0, 9.0, 12.0, 6.0, 9.0),
        ("J", "joined", "J", 60, "C", 4, 4.0, 8.0, 12.0, 8.0, 8.0),
    ],
    columns=[*KEY, "clean", "mean", "zero", "mean_unmasked", "zero_unmasked"],
)
SPLICED = BASELINE[KEY].assign(sae=[3.0, 1.0, 6.0, 14.0], sae_unmasked=[2.0, 1.0, 4.0, 4.0])


def rows_of(baseline, spliced, config=CONFIG):
    found = loss_rows(baseline, spliced, RUN, config)
    return found, found.set_index(["preset", "stratum", "metric"])["value"]


def test_recovered_loss_by_hand():
    assert loss_recovered(
        np.array([6.0, 6.0, 6.0]), np.array([3.0, 2.0, 7.0]), np.array([2.0] * 3)
    ).tolist() == [
        0.75,
        1.0,
        -0.25,
    ]
    assert np.isnan(loss_recovered(np.array([2.0]), np.array([3.0]), np.array([2.0])))[0]


def test_metrics_of_strata_by_hand():
    rows, value = rows_of(BASELINE, SPLICED)
    assert value["", "", "mlm_ce_clean"] == 6 / 6
    assert value["", "", "mlm_ce_sae"] == 10 / 6
    assert value["", "", "mlm_ce_mean"] == 15 / 6
    assert value["", "", "mlm_ce_zero"] == 21 / 6
    assert value["", "", "loss_recovered"] == (21 - 10) / (21 - 6)
    assert value["", "", "loss_recovered_mean"] == (15 - 10) / (15 - 6)
    assert value["", "length 1-10", "loss_recovered"] == (9 - 4) / (9 - 3)
    assert value["", "length >20", "loss_recovered"] == (12 - 6) / (12 - 3)
    assert value["", "residue D", "loss_recovered"] == 1.0
    assert value["", "joined_longer_than_training", "loss_recovered"] == (12 - 14) / (12 - 4)  # unclipped
    assert value["unmasked", "", "loss_recovered"] == (15 - 7) / (15 - 6)
    assert value["unmasked", "", "loss_recovered_mean"] == (11 - 7) / (11 - 6)
    assert ("unmasked", "residue D", "loss_recovered") not in value.index
    assert "defined" not in set(rows["preset"])
    n = rows[rows["metric"] == "mlm_ce_sae"].set_index(["preset", "stratum"])["n"]
    assert n["", ""] == n["unmasked", ""] == 6
    assert n["", "residue C"] == 5
    assert n["", "joined_longer_than_training"] == 4
    assert set(rows["method"]) == {"protsae"}
    assert set(rows["split"]) == {"test"}


def test_intervals_are_over_clusters():
    rows, _ = rows_of(BASELINE, SPLICED)
    bounds = rows[(rows["metric"] == "loss_recovered") & (rows["preset"] == "")].set_index("stratum")
    # a resample of two clusters is (A, A), (A, B) or (B, B)
    assert bounds.loc["", "low"] == pytest.approx(6 / 9)
    assert bounds.loc["", "high"] == pytest.approx(5 / 6)
    assert bounds.loc["residue D", ["low", "high"]].isna().all()  # of one cluster
    same = BASELINE.assign(cluster_id="c"), SPLICED.assign(cluster_id="c")
    one = loss_rows(*same, RUN, CONFIG)
    whole = one[(one["metric"] == "loss_recovered") & (one["stratum"] == "") & (one["preset"] == "")].iloc[0]
    assert whole[["low", "high"]].isna().all()


def test_parts_of_a_guided_dictionary_are_presets():
    _, value = rows_of(BASELINE, SPLICED.assign(defined=BASELINE["mean"], free=BASELINE["clean"]))
    assert value["defined", "", "loss_recovered_mean"] == 0.0
    assert value["free", "", "loss_recovered"] == 1.0
    assert ("free", "joined_longer_than_training", "loss_recovered") not in value.index


def test_tables_of_other_residues_are_refused():
    with pytest.raises(InputError, match="of other residues"):
        loss_rows(BASELINE, SPLICED.iloc[1:].reset_index(drop=True), RUN, CONFIG)


def test_reconstruction_by_hand():
    columns = ["protein_id", "cluster_id", "length", "residue"]
    sums = pd.DataFrame(
        [("A", "c", 5, "C", 4, 2.0, 20.0, 3.0, 8.0), ("B", "d", 15, "X", 1, 3.0, 5.0, 0.5, 1.0)],
        columns=[
            *columns,
            "n_residues",
            "residual_squares",
            "centred_squares",
            "cosine_sum",
            "active_sum",
        ],
    )
    statistics = pd.DataFrame({"kind": ["free"] * 4, "density_test": [0.0, 0.1, 0.2, 1.0]})
    rows = reconstruction_rows(sums.assign(split="test"), statistics, 2, RUN, CONFIG)
    value = rows.set_index(["stratum", "metric"])["value"]
    assert value["", "fve"] == 1 - 5 / 25
    assert value["", "mse"] == 5 / 10
    assert value["", "cosine"] == 3.5 / 5
    assert value["", "l0"] == 9 / 5
    assert value["", "dead_share"] == 0.25
    assert value["", "dense_share"] == 0.5
    assert value["residue X", "fve"] == pytest.approx(0.4)
    assert value["length 1-10", "fve"] == 0.9
    assert value["length 11-20", "l0"] == 1.0
    assert "length >20" not in value.index
    assert rows[(rows["stratum"] == "") & (rows["metric"] == "fve")]["n"].tolist() == [5]


def test_bands_of_length_are_named_by_their_ends():
    assert length_band_names((128, 512)) == ["length 1-128", "length 129-512", "length >512"]
    assert length_band_names(()) == ["length >0"]


def test_a_histogram_counts_every_latent_once():
    densities = pd.DataFrame(
        {"kind": ["defined", *["free"] * 6], "density_test": [1.0, 0.0, 0.0, 0.01, 0.0101, 0.1, 0.9]}
    )
    table = density_histogram(densities, "protsae")
    assert table.groupby("kind")["n_latents"].sum().to_dict() == {"defined": 1, "free": 6}
    free = table[table["kind"] == "free"]
    assert free[free["log10_low"].isna()]["n_latents"].tolist() == [2]
    assert free.loc[free["n_latents"] > 0, "log10_low"].tolist()[1:] == [-2.0, -1.0, -0.25]
    assert free["share"].sum() == pytest.approx(1)
    dead = density_histogram(pd.DataFrame({"kind": ["free"], "density_test": [0.0]}), "topk")
    assert dead["n_latents"].tolist()[0] == 1
