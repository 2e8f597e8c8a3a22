"""What the figures of recovered loss show of the table of metrics."""

import pandas as pd
import pytest

from protsae.metrics.table import concat_metrics, metric_rows, metrics_table
from protsae.reporting.fidelity import fidelity_strata, recovered_loss


def row(value, metric="loss_recovered", method="topk", **labels):
    intervals = {metric: (value - 0.1, value + 0.2)}
    return metric_rows({metric: value}, method=method, split="test", intervals=intervals, **labels)


METRICS = concat_metrics(
    [
        row(0.9),
        row(0.8, metric="loss_recovered_mean"),
        row(0.7, preset="free", method="protsae"),
        row(0.6, stratum="longer_than_training"),
        row(0.5, stratum="length 1-128"),
        row(0.4, stratum="length >128"),
        row(0.3, stratum="residue C"),
        row(0.2, preset="unmasked", stratum="longer_than_training"),
        row(1.0, metric="fve"),
    ]
)


def shown(figure):
    return {(trace.name, name): x for trace in figure.data for x, name in zip(trace.x, trace.y, strict=True)}


def test_recovered_loss_figure_has_presets_lengths_and_ablations(dictionaries):
    figure = recovered_loss(METRICS, dictionaries)
    mean, zero = (
        {k: v for trace in figure.data if trace.xaxis == axis for v, k in zip(trace.x, trace.y, strict=True)}
        for axis in ("x", "x2")
    )
    assert zero == {"all residues": 0.9, "free latents alone": 0.7, "longer than in training": 0.6}
    assert mean == {"all residues": 0.8}
    bars = next(trace.error_x for trace in figure.data if trace.name == "TopK SAE")
    assert bars.array[0] == pytest.approx(0.2)
    assert bars.arrayminus[0] == pytest.approx(0.1)


def test_strata_are_those_of_the_headline(tmp_path, dictionaries):
    figure = fidelity_strata(METRICS, dictionaries)
    topk = "TopK SAE"
    assert shown(figure) == {(topk, "1-128"): 0.5, (topk, ">128"): 0.4, (topk, "C"): 0.3}
    METRICS.to_csv(tmp_path / "metrics.csv", index=False)  # empty texts come back as missing ones
    again = pd.read_csv(tmp_path / "metrics.csv")
    assert fidelity_strata(again, dictionaries).to_json() == figure.to_json()
    drawn = recovered_loss(METRICS, dictionaries)
    assert recovered_loss(again, dictionaries).to_json() == drawn.to_json()


def test_an_interval_without_meaning_does_not_stretch_the_axis(dictionaries):
    wide = {"loss_recovered": (-2.0, 3.0)}
    rows = metric_rows(
        {"loss_recovered": 1.4}, method="topk", split="test", preset="unmasked", intervals=wide
    )
    figure = recovered_loss(concat_metrics([METRICS, rows]), dictionaries)
    pad = 0.06 * (1.1 - 0.5)  # from the interval of .6 - .1 to that of .9 + .2
    assert figure.layout.xaxis2.range == pytest.approx((0.5 - pad, 1.1 + pad), abs=1e-4)


def test_missing_measurements_are_stated(dictionaries):
    for draw in (recovered_loss, fidelity_strata):
        assert (
            draw(metrics_table([]), dictionaries).layout.annotations[0].text
            == "No recovered loss was measured"
        )
