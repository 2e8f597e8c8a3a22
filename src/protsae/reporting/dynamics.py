"""The figure of measures over the steps of training, with their onsets."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.selection import number
from protsae.reporting.style import METRIC_LABELS, empty_figure, known_first, plain, styled

_COLUMNS = 3
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
    n_rows = -(-len(metrics) // _COLUMNS)
    figure = make_subplots(
        rows=n_rows,
        cols=_COLUMNS,
        subplot_titles=[METRIC_LABELS.get(metric, metric) for metric in metrics],
        vertical_spacing=0.35 / n_rows,
        horizontal_spacing=0.08,
    )
    located = onsets[(onsets["estimator"] == estimator) & onsets["step"].notna()]
    marks = located.set_index(["method", "seed", "metric"])["step"].to_dict()
    named: set[str] = set()
    for i, metric in enumerate(metrics):
        where = {"row": i // _COLUMNS + 1, "col": i % _COLUMNS + 1}
        for key, curve in shown[shown["metric"] == metric].groupby(["method", "seed"], sort=True):
            method, seed = key
            colour, label = dictionaries.colour(str(method)), plain(dictionaries.method_label(str(method)))
            ordered = curve.sort_values("step")
            figure.add_scatter(
                x=ordered["step"].tolist(),
                y=[round(float(value), 5) for value in ordered["value"]],
                mode="lines+markers",
                marker={"size": 5, "color": colour},
                line={"width": 1.5, "color": colour},
                name=label,
                legendgroup=str(method),
                showlegend=method not in named,
                hovertemplate=f"step %{{x}}: %{{y:.4f}}<extra>{label}, seed {seed}</extra>",
                **where,
            )
            named.add(str(method))
            step = number(marks.get((method, seed, metric)))
            if step is not None:
                figure.add_vline(
                    x=round(step, 2), line={"color": colour, "dash": "dot", "width": 1.5}, **where
                )
    figure.update_xaxes(type="log")
    figure.update_xaxes(title_text="step", row=n_rows)
    return styled(figure, height=220 * n_rows + 110, top=70, legend_lift=30)
