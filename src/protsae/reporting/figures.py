"""Plotly figures, one small one per stage, as pure functions of tables.

Values are stored as plain lists, so that the JSON files can be read and compared by eye. Texts from the
user's files are escaped, because plotly draws a subset of HTML.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from protsae.core.splits import EXCLUDED, SPLITS
from protsae.fidelity.densities import STEP
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.palette import GREY
from protsae.reporting.panels import Panels
from protsae.reporting.selection import macro_scores, number, rounded, text
from protsae.reporting.style import (
    ASPECT_NAMES,
    ASPECTS,
    FLOORS,
    METRIC_LABELS,
    SPLIT_COLOURS,
    SUPERVISION_COLOURS,
    axis_range,
    empty_figure,
    known_first,
    latent_kinds,
    plain,
    styled,
)

_TERMS = (
    "loss/total",
    "loss/reconstruction",
    "loss/annotation",
    "loss/axiom",
    "loss/aux",
    "fve",
    "l0",
    "dead_share",
    "gate_rate",
    "mean_lift",
    "defined_participation",
    "axiom_violation",
    "subsumption_auc",
)
_FLOOR_DASHES = {"prevalence": "dot", "shuffled_labels": "dash"}


def protein_overview(proteins: pd.DataFrame) -> go.Figure:
    """Draw the number of proteins per split, and the distribution of lengths of those that take part."""
    if proteins.empty:
        return empty_figure("No proteins")
    figure = make_subplots(cols=2, column_widths=[0.36, 0.64], horizontal_spacing=0.12)
    edges = np.histogram_bin_edges(proteins["length"], bins=24)
    centres = ((edges[:-1] + edges[1:]) / 2).round(1).tolist()
    for split in known_first(proteins["split"].tolist(), (*SPLITS, EXCLUDED)):
        lengths = proteins.loc[proteins["split"] == split, "length"]
        colour = SPLIT_COLOURS.get(split, GREY)
        count = len(lengths)
        figure.add_bar(
            x=[split],
            y=[count],
            text=[f"{count:,}"],
            textposition="outside",
            cliponaxis=False,
            marker_color=colour,
            showlegend=False,
            hovertemplate="%{x}: %{y} proteins<extra></extra>",
            row=1,
            col=1,
        )
        if split == EXCLUDED:
            continue
        share = np.histogram(lengths, bins=edges)[0] / count
        figure.add_scatter(
            x=centres,
            y=share.round(4).tolist(),
            name=split,
            mode="lines",
            line={"shape": "hvh", "color": colour, "width": 2},
            hovertemplate="about %{x} residues: %{y:.1%}",
            row=1,
            col=2,
        )
    figure.update_yaxes(title_text="proteins", col=1)
    figure.update_yaxes(title_text="share of the split", tickformat=".0%", rangemode="tozero", col=2)
    figure.update_xaxes(title_text="length (residues)", col=2)
    figure.update_xaxes(showgrid=False, col=1)
    return styled(figure)


def concept_counts(concepts: pd.DataFrame) -> go.Figure:
    """Draw the number of positive proteins of each concept, stacked by split, one panel per aspect."""
    if concepts.empty:
        return empty_figure("No concepts")
    aspects = known_first(concepts["aspect"].tolist(), ASPECTS)
    widths = [int((concepts["aspect"] == aspect).sum()) for aspect in aspects]
    titles = [ASPECT_NAMES.get(aspect, aspect) for aspect in aspects]
    panels = Panels(titles, shared_yaxes=True, column_widths=widths, horizontal_spacing=0.03)
    for panel, aspect in enumerate(aspects):
        rows = concepts[concepts["aspect"] == aspect]
        rows = rows.sort_values(["n_train", "concept_id"], ascending=[False, True])
        for split in SPLITS:
            trace = go.Bar(
                x=rows["concept_id"].tolist(),
                y=[int(count) for count in rows[f"n_{split}"]],
                customdata=[plain(name) for name in rows["name"]],
                name=split,
                marker_color=SPLIT_COLOURS[split],
                hovertemplate="%{customdata}<br>%{x}: %{y} proteins",
            )
            panels.add(trace, panel, split)
    figure = panels.figure
    figure.update_xaxes(showticklabels=False, showgrid=False, title_text="concepts")
    figure.update_yaxes(title_text="positive proteins", col=1)
    figure.update_layout(barmode="stack", bargap=0.15)
    return styled(figure, height=380, top=70, legend_lift=30)


def training_curves(logs: Mapping[str, pd.DataFrame], dictionaries: Dictionaries) -> go.Figure:
    """Draw loss terms and what validation measures over the steps; training solid, validation dotted.

    Args:
        logs: dictionary name to its training log (`step`, `epoch`, `split`, `term`, `value`).
        dictionaries: those of the run.
    """
    present = {term for log in logs.values() for term in log["term"]}
    terms = [term for term in _TERMS if term in present]
    if not terms:
        return empty_figure("No training log")
    titles = [METRIC_LABELS.get(term, term.replace("/", ": ").replace("_", " ")) for term in terms]
    panels = Panels(titles, min(3, len(terms)), horizontal_spacing=0.08, vertical_spacing=0.32)
    for panel, term in enumerate(terms):
        for method in known_first(list(logs), dictionaries.order):
            log = logs[method]
            for split, rows in log[log["term"] == term].groupby("split", sort=True):
                trace = go.Scatter(
                    x=[int(step) for step in rows["step"]],
                    y=rounded(rows["value"], 6),
                    name=f"{plain(dictionaries.method_label(method))}, {split}",
                    mode="lines",
                    line={
                        "color": dictionaries.colour(method),
                        "dash": "solid" if split == "train" else "dot",
                        "width": 2,
                    },
                    hovertemplate="step %{x}: %{y:.4g}",
                )
                panels.add(trace, panel, f"{method}/{split}")
    panels.figure.update_xaxes(title_text="step", row=panels.n_rows)
    return styled(panels.figure, height=230 * panels.n_rows + 90, top=70, legend_lift=30)


def latent_density(histograms: pd.DataFrame, dictionaries: Dictionaries) -> go.Figure:
    """Draw how often latents are active: their share over log10 of density, per dictionary and kind.

    Args:
        histograms: `fidelity.densities.density_histogram` of all dictionaries.
        dictionaries: those of the run.
    """
    alive = histograms[histograms["log10_low"].notna()]
    if not alive["n_latents"].any():
        return empty_figure("No latent is active on test residues")
    lows = np.arange(alive["log10_low"].min(), 0, STEP)
    figure = go.Figure()
    for _, _, label, colour, rows in latent_kinds(histograms, dictionaries):
        counts, n_latents = rows.set_index("log10_low")["n_latents"], rows["n_latents"].sum()
        n_dead = counts[counts.index.isna()].sum()
        figure.add_scatter(
            x=(lows + STEP / 2).round(4).tolist(),
            y=rounded(counts.reindex(lows, fill_value=0) / n_latents, 5),
            mode="lines",
            line={"shape": "hvh", "width": 2, "color": colour},
            name=f"{label} ({n_latents:,}, of which {n_dead:,} are never active)",
            hovertemplate="10^%{x}: %{y:.1%} of latents<extra></extra>",
        )
    figure.update_xaxes(title_text="log10 of density on test residues")
    figure.update_yaxes(title_text="share of latents", tickformat=".0%", rangemode="tozero")
    return styled(figure)


def method_comparison(metrics: pd.DataFrame, dictionaries: Dictionaries, split: str = "test") -> go.Figure:
    """Draw AUC and AUPR of every method with its interval, in the table's order; floors are lines."""
    scores = {metric: macro_scores(metrics, metric, split) for metric in ("auc", "aupr")}
    present = {method for rows in scores.values() for method in rows}
    values = {method: number(scores["auc"].get(method, {}).get("value")) for method in present}
    order = [method for method in reversed(dictionaries.ranked(values)) if method not in FLOORS]
    labels = {method: plain(dictionaries.method_label(method)) for method in present}
    if not order:
        return empty_figure(f"No scores on the {split} split")
    panels = Panels(["AUC", "AUPR"], shared_yaxes=True, horizontal_spacing=0.06)
    figure = panels.figure
    for panel, (metric, rows) in enumerate(scores.items()):
        for method in reversed(order):
            if method in rows:
                _add_interval(panels, rows[method], labels[method], metric, panel)
        for floor in (name for name in FLOORS if name in rows):
            trace = go.Scatter(
                x=[round(float(rows[floor]["value"]), 4)] * 2,
                y=[labels[order[0]], labels[order[-1]]],
                mode="lines",
                line={"color": GREY, "dash": _FLOOR_DASHES[floor], "width": 2},
                name=f"floor: {labels[floor].lower()}",
                hovertemplate=f"{labels[floor]}: %{{x:.3f}}<extra></extra>",
            )
            panels.add(trace, panel, floor)
        figure.update_xaxes(range=axis_range(rows.values()), col=panel + 1)
    figure.update_yaxes(categoryorder="array", categoryarray=[labels[method] for method in order])
    return styled(figure, height=44 * len(order) + 130, top=70, legend_lift=30)


def _add_interval(panels: Panels, row: Mapping[str, Any], label: str, metric: str, panel: int) -> None:
    """Add one method's point and interval, coloured by how it saw labels."""
    supervision = text(row["supervision"]) or "none"
    value, low, high = (number(row[name]) for name in ("value", "low", "high"))
    assert value is not None
    colour, bounds = SUPERVISION_COLOURS.get(supervision, GREY), ""
    if low is not None and high is not None:
        bounds = f" ({low:.3f} to {high:.3f})"
        # A line of its own and not an error bar: a bootstrap interval need not hold the value.
        panels.figure.add_scatter(
            x=[round(low, 4), round(high, 4)],
            y=[label, label],
            mode="lines+markers",
            marker={"symbol": "line-ns", "size": 11, "line": {"width": 2, "color": colour}},
            line={"color": colour, "width": 2},
            legendgroup=supervision,
            showlegend=False,
            hoverinfo="skip",
            **panels.place(panel),
        )
    trace = go.Scatter(
        x=[round(value, 4)],
        y=[label],
        mode="markers",
        marker={"size": 12, "color": colour},
        name=f"labels: {supervision}",
        hovertemplate=f"%{{y}}<br>{METRIC_LABELS[metric]} {value:.3f}{bounds}<extra></extra>",
    )
    panels.add(trace, panel, supervision)
