"""What the figure of training dynamics shows."""

import pandas as pd

from protsae.reporting.dynamics import dynamics_figure

CURVES = pd.DataFrame(
    [
        ("topk", 0, step, metric, step * factor)
        for metric, factor in (("l0", 2.0), ("fve", 0.001))
        for step in (10, 1, 100)
    ],
    columns=["method", "seed", "step", "metric", "value"],
)
ONSETS = pd.DataFrame(
    [
        ("topk", 0, "fve", "hinge", 9.5),
        ("topk", 0, "fve", "acceleration", 10.0),
        ("topk", 0, "l0", "hinge", float("nan")),
    ],
    columns=["method", "seed", "metric", "estimator", "step"],
)


def test_every_metric_is_a_panel_with_curve_and_onset(dictionaries):
    figure = dynamics_figure(CURVES, ONSETS, dictionaries)
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles == ["Variance explained (fve)", "Active latents per residue (l0)"]
    fve, l0 = figure.data
    assert {trace.name for trace in figure.data} == {"TopK SAE"}
    assert {trace.line.color for trace in figure.data} == {"#D55E00"}
    assert list(fve.x) == [1, 10, 100]
    assert list(fve.y) == [0.001, 0.01, 0.1]
    assert list(l0.y) == [2, 20, 200]
    assert [trace.showlegend for trace in figure.data] == [True, False]
    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == 9.5
    assert line.xref == "x"


def test_missing_snapshots_are_stated(dictionaries):
    figure = dynamics_figure(CURVES.iloc[:0], ONSETS.iloc[:0], dictionaries)
    assert figure.layout.annotations[0].text == "No snapshots were measured"
