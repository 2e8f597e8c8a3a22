"""Names, colours and the plotly template that all figures and the page share."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from protsae.reporting.selection import number, text

INK, GRID = "#374151", "rgba(128,138,150,0.22)"

FLOORS = ("prevalence", "shuffled_labels")
SUPERVISION_COLOURS = {
    "training": BLUE,
    "selection": VERMILION,
    "probe": GREEN,
    "transfer": PURPLE,
    "none": GREY,
}
SUPERVISION_MEANING = {
    "training": "labels of training proteins shaped the dictionary itself",
    "selection": "labels chose one latent and its sign; none of test proteins, and by default all others",
    "probe": "labels of training proteins fitted a classifier on top",
    "transfer": "labels of training proteins are transferred to similar sequences",
    "none": "no labels but how common a term is",
}
ASPECTS = ("BPO", "MFO", "CCO")
ASPECT_NAMES = {"BPO": "biological process", "MFO": "molecular function", "CCO": "cellular component"}
ASPECT_COLOURS = {"BPO": SKY, "MFO": ORANGE, "CCO": PURPLE}
SPLIT_COLOURS = {"train": "#3B5B7A", "validation": "#7F9DB9", "test": "#E69F00", "excluded": GREY}

METRIC_LABELS = {
    "auc": "AUC",
    "aupr": "AUPR",
    "fmax": "Fmax",
    "wfmax": "Weighted Fmax",
    "smin": "Smin",
    "coverage": "Coverage",
    "aupr_micro": "AUPR over all pairs",
    "fve": "Variance explained (fve)",
    "l0": "Active latents per residue (l0)",
    "dead_share": "Dead latents (share)",
    "defined_participation": "Defined latents' part of the reconstruction",
    "gate_rate": "Gate rate of defined latents",
    "subsumption_auc": "Subsumption AUC",
    "axiom_violation": "Axiom violation",
    "mse": "Mean squared error",
    "mean_lift": "Mean lift",
    "cosine": "Cosine of reconstruction and activation",
    "dense_share": "Dense latents (share)",
    "loss_recovered": "Loss recovered, against zero ablation",
    "loss_recovered_mean": "Loss recovered, against mean ablation",
    "mlm_ce_clean": "Cross-entropy, language model as it is",
    "mlm_ce_sae": "Cross-entropy, spliced",
    "mlm_ce_mean": "Cross-entropy, mean-ablated",
    "mlm_ce_zero": "Cross-entropy, zero-ablated",
}

_AXIS = {
    "showgrid": True,
    "gridcolor": GRID,
    "zeroline": False,
    "linecolor": GRID,
    "ticks": "",
    "automargin": True,
    "title": {"standoff": 10, "font": {"size": 12}},
    "tickfont": {"size": 12},
}
TEMPLATE = go.layout.Template(
    layout={
        "font": {
            "family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
            "size": 13,
            "color": INK,
        },
        "colorway": [BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY],
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 56, "r": 20, "t": 40, "b": 48},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 12},
        },
        "hoverlabel": {"align": "left", "font": {"size": 12}},
        "hovermode": "closest",
        "bargap": 0.25,
        "annotationdefaults": {"font": {"size": 12}, "showarrow": False},
    }
)


def styled(figure: go.Figure, *, height: int = 360, top: int = 44, legend_lift: int = 8) -> go.Figure:
    """Give `figure` the shared template, whatever the process's default is, and a height of its own.

    Args:
        figure: is changed and returned.
        height: of the whole figure, pixels.
        top: margin above the plot for legend and panel titles, pixels.
        legend_lift: distance of the legend from the plot, pixels; panel titles need about 28.
    """
    plot_height = height - top - TEMPLATE.layout.margin.b
    figure.update_layout(template=TEMPLATE, height=height, margin={"t": top})
    figure.update_annotations(font_size=13)
    return figure.update_layout(legend={"y": 1 + legend_lift / plot_height})


def empty_figure(message: str) -> go.Figure:
    """Return a figure that says why there is nothing to draw."""
    figure = styled(go.Figure(), height=180)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure.add_annotation(text=message, x=0.5, y=0.5, xref="paper", yref="paper")


def known_first(values: Sequence[str], order: Sequence[str]) -> list[str]:
    """Return the distinct `values`: those of `order` first and in its order, then the others by name."""
    present = set(values)
    return [name for name in order if name in present] + sorted(present.difference(order))


class LatentKind(NamedTuple):
    """The rows of one kind of latent of one dictionary, and how a figure shows them."""

    method: str
    kind: str
    label: str
    colour: str
    rows: pd.DataFrame


def latent_kinds(table: pd.DataFrame, dictionaries: Dictionaries) -> list[LatentKind]:
    """Divide a table by `method` and `kind`: dictionaries in their order, defined before free latents."""
    found = []
    for method in known_first(table["method"].tolist(), dictionaries.order):
        for key, rows in table[table["method"] == method].groupby("kind", sort=True):
            kind = str(key)
            label = plain(dictionaries.kind_label(method, kind))
            found.append(LatentKind(method, kind, label, dictionaries.latent_colour(method, kind), rows))
    return found


def axis_range(rows: Iterable[Mapping[str, Any]]) -> list[float] | None:
    """Return a range for values and their intervals, with room at both ends; None without values.

    An interval wider than 1, the whole scale of every score here, has no meaning and may leave the panel.
    """
    ends: list[float] = []
    for row in rows:
        cells = (number(row[name]) for name in ("value", "low", "high"))
        found = [cell for cell in cells if cell is not None]
        ends += found if found and max(found) - min(found) <= 1 else []
    if not ends:
        return None
    pad = 0.06 * (max(ends) - min(ends)) or 0.05
    return [round(min(ends) - pad, 4), round(max(ends) + pad, 4)]


def plain(value: object) -> str:
    """Return a text of the user's for a figure: plotly would draw a subset of HTML."""
    return html.escape(text(value), quote=False)
