"""Figures of how much of the language model's loss dictionaries recover."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.selection import blank, number, records, rounded
from protsae.reporting.style import axis_range, empty_figure, known_first, plain, styled

_PRESETS = {
    "": "all residues",
    "unmasked": "unmasked residues",
    "defined": "defined latents alone",
    "free": "free latents alone",
}
_LONG = {
    "longer_than_training": "longer than in training",
    "joined_longer_than_training": "joined, longer than in training",
}
_PANELS = {
    "loss_recovered_mean": "against the mean activation",
    "loss_recovered": "against zero",
}
_NOTHING = "No recovered loss was measured"


def recovered_loss(metrics: pd.DataFrame, dictionaries: Dictionaries) -> go.Figure:
    """Draw recovered loss by what is replaced and on long sequences, against both ablations."""
    table = _prepared(metrics)
    headline = table["preset"] == ""
    table["shown"] = table["preset"].map(_PRESETS).where(table["stratum"] == "")
    table.loc[headline & table["stratum"].isin(_LONG), "shown"] = table["stratum"].map(_LONG)
    shown = table[table["shown"].notna()]
    if shown.empty:
        return empty_figure(_NOTHING)
    order = known_first(shown["shown"].tolist(), (*_PRESETS.values(), *_LONG.values()))
    panels = {title: shown[shown["metric"] == name] for name, title in _PANELS.items()}
    return _panels(panels, order, dictionaries, shared=True)


def fidelity_strata(metrics: pd.DataFrame, dictionaries: Dictionaries) -> go.Figure:
    """Draw the headline's recovered loss, against zero ablation, by protein length and by residue."""
    table = _prepared(metrics)
    of = table[(table["preset"] == "") & (table["metric"] == "loss_recovered")]
    kind = of["stratum"].astype(str).str.split(" ", n=1, expand=True).reindex(columns=[0, 1])
    of = of.assign(shown=kind[1])
    panels = {
        "by protein length": of[kind[0] == "length"],
        "by masked residue": of[kind[0] == "residue"],
    }
    if all(part.empty for part in panels.values()):
        return empty_figure(_NOTHING)
    return _panels(panels, of["shown"].dropna().unique().tolist(), dictionaries, shared=False)


def _prepared(metrics: pd.DataFrame) -> pd.DataFrame:
    table = metrics[metrics["metric"].isin(list(_PANELS)) & metrics["value"].notna()]
    texts = {
        name: ["" if blank(value) else str(value) for value in table[name]] for name in ("preset", "stratum")
    }
    return table.assign(**texts)


def _panels(
    panels: dict[str, pd.DataFrame], order: Sequence[str], dictionaries: Dictionaries, shared: bool
) -> go.Figure:
    figure = make_subplots(
        cols=len(panels),
        shared_yaxes=shared,
        horizontal_spacing=0.06 if shared else 0.12,
        subplot_titles=list(panels),
    )
    named: set[str] = set()
    most = 1
    for column, table in enumerate(panels.values(), start=1):
        for method in known_first(table["method"].tolist(), dictionaries.order):
            rows = records(table[table["method"] == method])
            figure.add_scatter(
                x=rounded(row["value"] for row in rows),
                y=[row["shown"] for row in rows],
                error_x=_interval(rows),
                mode="markers",
                orientation="h",
                marker={"size": 9, "color": dictionaries.colour(method)},
                name=plain(dictionaries.method_label(method)),
                legendgroup=method,
                showlegend=method not in named,
                hovertemplate="%{y}: %{x:.4f}",
                row=1,
                col=column,
            )
            named.add(method)
        present = [name for name in order if name in set(table["shown"])]
        most = max(most, len(present))
        figure.update_yaxes(categoryorder="array", categoryarray=present[::-1], col=column)
        figure.update_xaxes(range=axis_range(records(table)), col=column)
    figure.update_xaxes(title_text="loss recovered (1: as the model itself)")
    figure.update_layout(scattermode="group")
    return styled(figure, height=(22 * len(named) + 14) * most + 150, top=80, legend_lift=30)


def _interval(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return error bars; a bootstrap interval that does not hold the value ends at it."""
    ends = [(number(row["low"]), float(row["value"]), number(row["high"])) for row in rows]
    above = [0.0 if high is None else max(0.0, high - value) for _, value, high in ends]
    below = [0.0 if low is None else max(0.0, value - low) for low, value, _ in ends]
    return {
        "type": "data",
        "symmetric": False,
        "array": rounded(above),
        "arrayminus": rounded(below),
        "width": 3,
        "thickness": 1.5,
    }
