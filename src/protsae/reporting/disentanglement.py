"""Figures of disentanglement: MonoSemanticity by kind of latent, absorption against chance."""

import pandas as pd
import plotly.graph_objects as go

from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.palette import GREY
from protsae.reporting.panels import Panels
from protsae.reporting.selection import rounded
from protsae.reporting.style import ASPECTS, empty_figure, latent_kinds, plain, styled

_JUDGES = {"lin": "Function", "windows": "Neighbouring residues"}
_QUANTILES = 101  # points of a curve, however many latents


def judge_label(judge: str, aspect: str) -> str:
    """Return the label of a judge of resemblance."""
    label = _JUDGES.get(judge, judge.replace("embeddings:", "Embeddings of "))
    return f"{label}, {aspect}" if aspect else label


def judge_order(judge: tuple[str, str]) -> tuple[int, str, int, str]:
    """Order (judge, aspect) pairs: function by aspect, neighbouring residues, then embeddings by model."""
    name, aspect = judge
    place = list(_JUDGES).index(name) if name in _JUDGES else len(_JUDGES)
    return (place, name, ASPECTS.index(aspect) if aspect in ASPECTS else len(ASPECTS), aspect)


def monosemanticity_curves(monosemanticity: pd.DataFrame, dictionaries: Dictionaries) -> go.Figure:
    """Draw the scores of all judged latents from the best down, one panel per judge and aspect.

    Across is the share of the latents of a kind, so that kinds of any number are compared; 0 is chance.
    """
    judged = monosemanticity[monosemanticity["is_judged"]]
    if judged.empty:
        return empty_figure("No latent was active in enough homology clusters")
    aspects = judged["aspect"].fillna("")
    judges = sorted(set(zip(judged["judge"], aspects, strict=True)), key=judge_order)
    panels = Panels([plain(judge_label(*judge)) for judge in judges], shared_yaxes=True)
    shares = [i / (_QUANTILES - 1) for i in range(_QUANTILES)]
    for panel, (judge, aspect) in enumerate(judges):
        here = judged[(judged["judge"] == judge) & (aspects == aspect)]
        for _, _, label, colour, part in latent_kinds(here, dictionaries):
            trace = go.Scatter(
                x=shares,
                y=rounded(part["score"].quantile([1 - share for share in shares])),
                mode="lines",
                line={"color": colour, "width": 2},
                name=label,
                hovertemplate=f"{label} ({len(part):,} judged)<br>best %{{x:.0%}}: at least %{{y:.3f}}"
                "<extra></extra>",
            )
            panels.add(trace, panel, label)
    figure = panels.figure
    figure.add_hline(y=0, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_xaxes(tickformat=".0%")
    figure.update_xaxes(title_text="share of the judged latents", col=1)
    figure.update_yaxes(title_text="MonoSemanticity above chance", col=1)
    return styled(figure, height=420, top=72, legend_lift=28)


def absorption_pairs(absorption: pd.DataFrame, dictionaries: Dictionaries) -> go.Figure:
    """Draw absorption of every judged pair of concepts against what independent latents would give."""
    judged = absorption[absorption["is_judged"].astype(bool)] if len(absorption) else absorption
    if judged.empty:
        return empty_figure("No pair of nested concepts could be judged")
    figure = go.Figure()
    top = float(max(judged["absorption"].max(), judged["expected"].max(), 0.05))
    line = {"color": GREY, "width": 1, "dash": "dot"}
    figure.add_scatter(x=[0, top], y=[0, top], mode="lines", line=line, showlegend=False, hoverinfo="skip")
    for of_kind in latent_kinds(judged, dictionaries):
        part = of_kind.rows
        columns = (part[name] for name in ("child_name", "parent_name", "n_carriers", "level"))
        figure.add_scatter(
            x=rounded(part["expected"]),
            y=rounded(part["absorption"]),
            customdata=[
                [plain(child), plain(parent), f"{n:,} {level}s"]
                for child, parent, n, level in zip(*columns, strict=True)
            ],
            mode="markers",
            marker={"size": 8, "opacity": 0.75, "color": of_kind.colour},
            name=f"{of_kind.label} ({len(part):,} pairs)",
            hovertemplate="%{customdata[0]}<br>within %{customdata[1]}<br>%{customdata[2]}<br>"
            "absorbed %{y:.3f}, by chance %{x:.3f}<extra></extra>",
        )
    figure.update_xaxes(title_text="share expected if both latents were independent")
    figure.update_yaxes(title_text="share where the parent's latent is silent, the child's fires")
    return styled(figure, height=460)
