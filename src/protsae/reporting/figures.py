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
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.palette import GREY
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
_DENSITY_STEP = 0.25  # decades
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
    figure = make_subplots(
        cols=len(aspects),
        shared_yaxes=True,
        column_widths=widths,
        horizontal_spacing=0.03,
        subplot_titles=[ASPECT_NAMES.get(aspect, aspect) for aspect in aspects],
    )
    for column, aspect in enumerate(aspects, start=1):
        rows = concepts[concepts["aspect"] == aspect]
        rows = rows.sort_values(["n_train", "concept_id"], ascending=[False, True])
        for split in SPLITS:
            figure.add_bar(
                x=rows["concept_id"].tolist(),
                y=[int(count) for count in rows[f"n_{split}"]],
                customdata=[plain(name) for name in rows["name"]],
                name=split,
                legendgroup=split,
                showlegend=column == 1,
                marker_color=SPLIT_COLOURS[split],
                hovertemplate="%{customdata}<br>%{x}: %{y} proteins",
                row=1,
                col=column,
            )
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
    columns = min(3, len(terms))
    n_rows = -(-len(terms) // columns)
    titles = [METRIC_LABELS.get(term, term.replace("/", ": ").replace("_", " ")) for term in terms]
    figure = make_subplots(
        rows=n_rows,
        cols=columns,
        subplot_titles=titles,
        horizontal_spacing=0.08,
        vertical_spacing=0.32 / n_rows,
    )
    named: set[tuple[str, str]] = set()
    for index, term in enumerate(terms):
        for method in known_first(list(logs), dictionaries.order):
            log = logs[method]
            for split, rows in log[log["term"] == term].groupby("split", sort=True):
                key = (method, str(split))
                figure.add_scatter(
                    x=[int(step) for step in rows["step"]],
                    y=rounded(rows["value"], 6),
                    name=f"{plain(dictionaries.method_label(method))}, {split}",
                    legendgroup="/".join(key),
                    showlegend=key not in named,
                    mode="lines",
                    line={
                        "color": dictionaries.colour(method),
                        "dash": "solid" if split == "train" else "dot",
                        "width": 2,
                    },
                    hovertemplate="step %{x}: %{y:.4g}",
                    row=index // columns + 1,
                    col=index % columns + 1,
                )
                named.add(key)
    figure.update_xaxes(title_text="step", row=n_rows)
    return styled(figure, height=230 * n_rows + 90, top=70, legend_lift=30)


def _density_counts(density: pd.Series, edges: np.ndarray) -> tuple[list[float], int]:
    """Return the share of latents per bin of log10 density, and the number that never fire."""
    values = density.to_numpy(dtype=float, na_value=0.0)
    alive = values[values > 0]
    counts = np.histogram(np.log10(alive), bins=edges)[0]
    return (counts / max(len(values), 1)).round(5).tolist(), int((values <= 0).sum())


def latent_density(
    statistics: Mapping[str, pd.DataFrame], dictionaries: Dictionaries, split: str = "test"
) -> go.Figure:
    """Draw how often latents fire: share of latents over log10 of density, per dictionary and kind.

    Args:
        statistics: dictionary name to its latent statistics (`kind`, `density_<split>`).
        dictionaries: those of the run.
        split: whose residues were counted.
    """
    column = f"density_{split}"
    frames = {method: table for method, table in statistics.items() if len(table) and column in table}
    alive = [table[column][table[column] > 0] for table in frames.values()]
    if not any(len(values) for values in alive):
        return empty_figure("No latent fires on this split")
    lowest = min(float(values.min()) for values in alive if len(values))
    start = np.floor(np.log10(lowest) / _DENSITY_STEP) * _DENSITY_STEP
    # The last bin is closed on the right, so a latent that fires everywhere (log10 = 0) is counted.
    edges = np.append(np.arange(start, -_DENSITY_STEP / 2, _DENSITY_STEP), 0.0)
    edges = edges if len(edges) > 1 else np.array([-_DENSITY_STEP, 0.0])
    figure = go.Figure()
    for method in known_first(list(frames), dictionaries.order):
        table = frames[method]
        for kind, rows in table.groupby("kind", sort=True):
            label = plain(dictionaries.kind_label(method, str(kind)))
            shares, n_dead = _density_counts(rows[column], edges)
            figure.add_scatter(
                x=((edges[:-1] + edges[1:]) / 2).round(4).tolist(),
                y=shares,
                mode="lines",
                line={
                    "shape": "hvh",
                    "width": 2,
                    "color": dictionaries.latent_colour(method, str(kind)),
                },
                name=f"{label} ({len(rows):,}, of which {n_dead:,} are never active)",
                hovertemplate="10^%{x}: %{y:.1%} of latents<extra></extra>",
            )
    figure.update_xaxes(title_text=f"log10 of density on {split} residues")
    figure.update_yaxes(title_text="share of latents", tickformat=".0%", rangemode="tozero")
    return styled(figure)


def method_comparison(metrics: pd.DataFrame, dictionaries: Dictionaries, split: str = "test") -> go.Figure:
    """Draw AUC and AUPR of every method with its interval, sorted by AUC, floors as reference lines."""
    scores = {metric: macro_scores(metrics, metric, split) for metric in ("auc", "aupr")}
    present = {method for rows in scores.values() for method in rows}
    values = {method: number(scores["auc"].get(method, {}).get("value")) for method in present}
    order = sorted(present.difference(FLOORS), key=lambda method: (values[method] or 0.0, method))
    labels = {method: plain(dictionaries.method_label(method)) for method in present}
    if not order:
        return empty_figure(f"No scores on the {split} split")
    figure = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.06, subplot_titles=["AUC", "AUPR"])
    named: set[str] = set()
    for column, (metric, rows) in enumerate(scores.items(), start=1):
        for method in reversed(order):
            if method in rows:
                _add_interval(figure, rows[method], labels[method], metric, column, named)
        for floor in (name for name in FLOORS if name in rows):
            figure.add_scatter(
                x=[round(float(rows[floor]["value"]), 4)] * 2,
                y=[labels[order[0]], labels[order[-1]]],
                mode="lines",
                line={"color": GREY, "dash": _FLOOR_DASHES[floor], "width": 2},
                name=f"floor: {labels[floor].lower()}",
                legendgroup=floor,
                showlegend=floor not in named,
                hovertemplate=f"{labels[floor]}: %{{x:.3f}}<extra></extra>",
                row=1,
                col=column,
            )
            named.add(floor)
        figure.update_xaxes(range=axis_range(rows.values()), col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=[labels[method] for method in order])
    return styled(figure, height=44 * len(order) + 130, top=70, legend_lift=30)


def _add_interval(
    figure: go.Figure, row: Mapping[str, Any], label: str, metric: str, column: int, named: set[str]
) -> None:
    """Add one method's point and interval, coloured by how it saw labels."""
    supervision = text(row["supervision"]) or "none"
    value, low, high = (number(row[name]) for name in ("value", "low", "high"))
    assert value is not None
    where = {"row": 1, "col": column}
    style = {"legendgroup": supervision, "marker_color": SUPERVISION_COLOURS.get(supervision, GREY)}
    bounds = ""
    if low is not None and high is not None:
        bounds = f" ({low:.3f} to {high:.3f})"
        # A line of its own and not an error bar: a bootstrap interval need not hold the value.
        figure.add_scatter(
            x=[round(low, 4), round(high, 4)],
            y=[label, label],
            mode="lines+markers",
            marker={"symbol": "line-ns", "size": 11, "line": {"width": 2, "color": style["marker_color"]}},
            line={"color": style["marker_color"], "width": 2},
            legendgroup=supervision,
            showlegend=False,
            hoverinfo="skip",
            **where,
        )
    figure.add_scatter(
        x=[round(value, 4)],
        y=[label],
        mode="markers",
        marker_size=12,
        name=f"labels: {supervision}",
        showlegend=supervision not in named,
        hovertemplate=f"%{{y}}<br>{METRIC_LABELS[metric]} {value:.3f}{bounds}<extra></extra>",
        **style,
        **where,
    )
    named.add(supervision)
