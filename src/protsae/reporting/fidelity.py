"""Figures of how much of the language model's loss dictionaries recover."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.panels import Panels, error_bars
from protsae.reporting.selection import records, rounded, text
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
    return table.assign(**{name: table[name].map(text) for name in ("preset", "stratum")})


def _panels(
    tables: dict[str, pd.DataFrame], order: Sequence[str], dictionaries: Dictionaries, shared: bool
) -> go.Figure:
    panels = Panels(list(tables), shared_yaxes=shared, horizontal_spacing=0.06 if shared else 0.12)
    figure, most = panels.figure, 1
    for panel, table in enumerate(tables.values()):
        for method in known_first(table["method"].tolist(), dictionaries.order):
            rows = table[table["method"] == method]
            trace = go.Scatter(
                x=rounded(rows["value"]),
                y=rows["shown"].tolist(),
                error_x=error_bars(
                    rows[["value", "low", "high"]], 4, symmetric=False, width=3, thickness=1.5
                ),
                mode="markers",
                orientation="h",
                marker={"size": 9, "color": dictionaries.colour(method)},
                name=plain(dictionaries.method_label(method)),
                hovertemplate="%{y}: %{x:.4f}",
            )
            panels.add(trace, panel, method)
        present = [name for name in order if name in set(table["shown"])]
        most = max(most, len(present))
        figure.update_yaxes(categoryorder="array", categoryarray=present[::-1], col=panel + 1)
        figure.update_xaxes(range=axis_range(records(table)), col=panel + 1)
    figure.update_xaxes(title_text="loss recovered (1: as the model itself)")
    figure.update_layout(scattermode="group")
    return styled(figure, height=(22 * len(panels.groups) + 14) * most + 150, top=80, legend_lift=30)
