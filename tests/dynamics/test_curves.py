"""Curves over snapshots agree with what the trainer logged, and their onsets are listed."""

import numpy as np
import pandas as pd
import pytest
from tests.training.conftest import ToyProteins, toy_plan

from protsae.dynamics.config import OnsetConfig
from protsae.dynamics.curves import CURVE_COLUMNS, ONSET_COLUMNS, find_onsets, measure_curves
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.training.plan import log_of


@pytest.mark.parametrize("architecture", ["topk", "protsae"])
def test_curves_pass_through_what_the_trainer_measured(tmp_path, architecture):
    toy = ToyProteins()
    plan = toy_plan(toy, architecture, snapshots=12)
    plan.run(tmp_path / "sae.safetensors")
    checkpoint = SaeCheckpoint(tmp_path / "sae.safetensors")
    source = plan.source
    curves = measure_curves(checkpoint, source.store, source.proteins, plan.trainer, plan.knowledge)
    assert tuple(curves.columns) == CURVE_COLUMNS
    assert set(curves["method"]) == {architecture}
    assert curves["step"].min() == 1
    log = log_of(checkpoint)
    logged = log[log["split"] == "validation"].set_index(["step", "term"])["value"]
    measured = curves.set_index(["step", "metric"])["value"]
    both = measured.index.intersection(logged.index)
    assert {step for step, _ in both} == {4, 8, 12}  # ends of epochs
    assert {metric for _, metric in both} == set(log[log["split"] == "validation"]["term"])
    # nothing settles after these epochs: the numbers are the trainer's own
    np.testing.assert_array_equal(measured[both].to_numpy(), logged[both].to_numpy())
    assert measured[12, "fve"] > measured[1, "fve"] + 0.03


def test_onsets_are_listed_with_their_lags_and_reasons():
    steps = np.unique(np.round(np.geomspace(1, 1000, 20)))
    x = np.log10(steps)
    metrics = {
        "fve": np.maximum(x - 1, 0),
        "auc/latent": np.maximum(x - 2, 0),
        "l0": np.full(len(x), 16.0),
    }
    curves = pd.DataFrame(
        [
            (method, 0, int(step), 0, metric, value)
            for method in ("protsae", "topk")
            for metric, values in metrics.items()
            for step, value in zip(steps, values, strict=True)
        ],
        columns=list(CURVE_COLUMNS),
    )
    onsets = find_onsets(curves.sample(frac=1, random_state=0), OnsetConfig())
    assert tuple(onsets.columns) == ONSET_COLUMNS
    assert len(onsets) == 12
    hinge = onsets[(onsets["method"] == "topk") & (onsets["estimator"] == "hinge")].set_index("metric")
    assert hinge.loc["fve", "step"] == pytest.approx(10, rel=0.05)
    assert hinge.loc["auc/latent", "step"] == pytest.approx(100, rel=0.05)
    assert hinge.loc["auc/latent", "lag_to_fve"] == pytest.approx(90, rel=0.05)
    assert hinge.loc["fve", "lag_to_fve"] == 0
    assert np.isnan(hinge.loc["l0", ["step", "lag_to_fve"]].astype(float)).all()
    assert hinge.loc["l0", "reason"] == "no change beyond its noise"
    assert (hinge.loc[["fve", "auc/latent"], "reason"] == "").all()
