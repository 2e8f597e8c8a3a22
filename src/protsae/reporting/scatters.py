"""Figures with one point per concept or latent: methods against each other, and validation against test."""

import pandas as pd
import plotly.graph_objects as go

from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.palette import GREY
from protsae.reporting.selection import text
from protsae.reporting.style import (
    ASPECT_COLOURS,
    ASPECT_NAMES,
    ASPECTS,
    empty_figure,
    known_first,
    latent_kinds,
    plain,
    styled,
)

MAX_FREE_POINTS = 200


def _names(rows: pd.DataFrame, name: str, identifier: str) -> list[str]:
    pairs = zip(rows[name], rows[identifier], strict=True)
    return [plain(f"{text(label)} ({text(key)})") for label, key in pairs]


def _diagonal(low: float, high: float) -> dict[str, object]:
    return {
        "x": [round(low, 3), round(high, 3)],
        "y": [round(low, 3), round(high, 3)],
        "mode": "lines",
        "line": {"color": GREY, "dash": "dash", "width": 1.5},
        "hoverinfo": "skip",
        "name": "equal",
    }


def concept_comparison(
    concept_metrics: pd.DataFrame, dictionaries: Dictionaries, split: str = "test"
) -> go.Figure:
    """Draw one point per concept: AUC of the rival's latent across, of the subject's latent up, by aspect.

    Without a rival the linear probe on activations takes its place.
    """
    rival, up = dictionaries.rival, f"{dictionaries.subject}_latent"
    across = "linear_probe" if rival is None else f"{rival}_latent"
    across_label, up_label = (plain(dictionaries.method_label(method)) for method in (across, up))
    rows = concept_metrics[(concept_metrics["split"] == split) & concept_metrics["auc"].notna()]
    left = rows.loc[rows["method"] == across, ["concept_id", "name", "aspect", "n_positive", "auc"]]
    right = rows.loc[rows["method"] == up, ["concept_id", "auc"]]
    both = left.merge(right, on="concept_id", suffixes=("_x", "_y")).sort_values("concept_id")
    if both.empty:
        return empty_figure(f"No concept has an AUC of both methods on the {split} split")
    values = both[["auc_x", "auc_y"]]
    figure = go.Figure()
    figure.add_scatter(
        **_diagonal(min(float(values.min().min()), 0.5) - 0.02, float(values.max().max()) + 0.02)
    )
    for aspect in known_first(both["aspect"].tolist(), ASPECTS):
        part = both[both["aspect"] == aspect]
        names = _names(part, "name", "concept_id")
        figure.add_scatter(
            x=part["auc_x"].round(4).tolist(),
            y=part["auc_y"].round(4).tolist(),
            customdata=[[name, int(n)] for name, n in zip(names, part["n_positive"], strict=True)],
            mode="markers",
            marker={
                "size": 10,
                "color": ASPECT_COLOURS.get(aspect, GREY),
                "line": {"width": 1, "color": GREY},
            },
            name=ASPECT_NAMES.get(aspect, aspect),
            hovertemplate="%{customdata[0]}<br>%{customdata[1]} positive proteins<br>"
            f"{up_label} %{{y:.3f}}<br>{across_label} %{{x:.3f}}<extra></extra>",
        )
    above = int((both["auc_y"] > both["auc_x"]).sum())
    corner = {"x": 0.02, "y": 0.98, "xref": "paper", "yref": "paper", "xanchor": "left"}
    figure.add_annotation(text=f"{above} of {len(both)} concepts above the line", **corner)
    figure.update_xaxes(title_text=f"AUC, {across_label}")
    figure.update_yaxes(title_text=f"AUC, {up_label}")
    return styled(figure, height=460)


def latent_f1(
    latents: pd.DataFrame, dictionaries: Dictionaries, max_free: int = MAX_FREE_POINTS
) -> go.Figure:
    """Draw F1 of latents with their best concept: validation, where it was chosen, against test.

    The floor of each defined latent, F1 of a latent that is always on, is a short grey dash straight above or
    below it. Of the free latents of a dictionary the `max_free` with the highest F1 on validation are drawn;
    the legend says of how many.
    """
    scored = latents[latents["f1_validation"].notna() & latents["f1_test"].notna()]
    if scored.empty:
        return empty_figure("No latent has an F1")
    figure = go.Figure()
    figure.add_scatter(**_diagonal(0.0, 1.0))
    for _, kind, label, colour, group in latent_kinds(scored, dictionaries):
        limit = max_free if kind == "free" else len(group)
        part = group.sort_values(["f1_validation", "latent"], ascending=[False, True]).head(limit)
        shown = f"{len(part):,}" if len(part) == len(group) else f"best {len(part):,} of {len(group):,}"
        names = _names(part, "best_concept_name", "best_concept_id")
        figure.add_scatter(
            x=part["f1_validation"].round(4).tolist(),
            y=part["f1_test"].round(4).tolist(),
            customdata=[[int(latent), name] for latent, name in zip(part["latent"], names, strict=True)],
            mode="markers",
            marker={
                "size": 10 if kind == "defined" else 6,
                "opacity": 0.9 if kind == "defined" else 0.55,
                "color": colour,
            },
            name=f"{label} ({shown})",
            hovertemplate="latent %{customdata[0]}<br>%{customdata[1]}<br>"
            "validation %{x:.3f}, test %{y:.3f}<extra></extra>",
        )
    floors = scored[(scored["kind"] == "defined") & scored["f1_test_always_on"].notna()]
    if len(floors):
        _add_floors(figure, floors)
    figure.update_xaxes(title_text="F1 on validation (concept and threshold chosen)", rangemode="tozero")
    figure.update_yaxes(title_text="F1 on test", rangemode="tozero")
    return styled(figure, height=460)


def _add_floors(figure: go.Figure, defined: pd.DataFrame) -> None:
    """Add the floor of each defined latent at its place across."""
    figure.add_scatter(
        x=defined["f1_validation"].round(4).tolist(),
        y=defined["f1_test_always_on"].round(4).tolist(),
        mode="markers",
        marker={"symbol": "line-ew", "size": 10, "line": {"width": 2, "color": GREY}},
        name="floor of a defined latent",
        hovertemplate="always on: F1 on test %{y:.3f}<extra></extra>",
    )
