"""The figure of measures over the steps of training, with their onsets."""

import pandas as pd
import plotly.graph_objects as go

from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.panels import Panels
from protsae.reporting.selection import number, rounded
from protsae.reporting.style import METRIC_LABELS, empty_figure, known_first, plain, styled

_N_COLUMNS = 3
_FIRST = ("fve", "l0", "dead_share", "gate_rate", "defined_participation", "auc/latent", "auc/predictor")


def dynamics_figure(
    curves: pd.DataFrame, onsets: pd.DataFrame, dictionaries: Dictionaries, estimator: str = "hinge"
) -> go.Figure:
    """Draw one panel per metric: a line per training, and a dotted line where it sets in.

    Args:
        curves: `method`, `seed`, `step`, `metric`, `value`.
        onsets: `method`, `seed`, `metric`, `estimator`, `step`.
        dictionaries: those of the run.
        estimator: which onsets.
    """
    shown = curves[curves["value"].notna()]
    if shown.empty:
        return empty_figure("No snapshots were measured")
    metrics = known_first(shown["metric"].tolist(), _FIRST)
    titles = [METRIC_LABELS.get(metric, metric) for metric in metrics]
    panels = Panels(titles, _N_COLUMNS, vertical_spacing=0.35, horizontal_spacing=0.08)
    figure = panels.figure
    located = onsets[(onsets["estimator"] == estimator) & onsets["step"].notna()]
    marks = located.set_index(["method", "seed", "metric"])["step"].to_dict()
    for panel, metric in enumerate(metrics):
        for key, curve in shown[shown["metric"] == metric].groupby(["method", "seed"], sort=True):
            method, seed = key
            colour, label = dictionaries.colour(str(method)), plain(dictionaries.method_label(str(method)))
            ordered = curve.sort_values("step")
            trace = go.Scatter(
                x=ordered["step"].tolist(),
                y=rounded(ordered["value"], 5),
                mode="lines+markers",
                marker={"size": 5, "color": colour},
                line={"width": 1.5, "color": colour},
                name=label,
                hovertemplate=f"step %{{x}}: %{{y:.4f}}<extra>{label}, seed {seed}</extra>",
            )
            panels.add(trace, panel, str(method))
            step = number(marks.get((method, seed, metric)))
            if step is not None:
                line = {"color": colour, "dash": "dot", "width": 1.5}
                figure.add_vline(x=round(step, 2), line=line, **panels.place(panel))
    figure.update_xaxes(type="log")
    figure.update_xaxes(title_text="step", row=panels.n_rows)
    return styled(figure, height=220 * panels.n_rows + 110, top=70, legend_lift=30)
