"""The figure of alignment: how well single latents match concepts."""

import pandas as pd
import plotly.graph_objects as go

from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.palette import GREEN, GREY, ORANGE, PURPLE, SKY
from protsae.reporting.panels import Panels
from protsae.reporting.style import empty_figure, known_first, plain, styled

LEVEL_TITLES = {
    "protein": "Concepts of proteins",
    "residue": "Concepts of residues",
    "domain": "Domains, sites and bonds",
}
"""Level of `concept_alignment` to its title."""
FLOOR_METHOD = "residue_identity"
_ALWAYS_ON = "Always on (floor)"
_REFERENCE_COLOURS = (PURPLE, ORANGE, GREEN, SKY)


def alignment_curves(concept_alignment: pd.DataFrame, dictionaries: Dictionaries) -> go.Figure:
    """Draw test F1 of the best latent of every concept from the best concept down, one panel per level.

    The latent is the best without test proteins. Dashed and dotted lines are the floors.
    """
    best = concept_alignment[(concept_alignment["rank"] == 1) & concept_alignment["f1_test"].notna()]
    levels = known_first(best["level"].tolist(), tuple(LEVEL_TITLES))
    if not levels:
        return empty_figure("No concept was aligned")
    titles = [LEVEL_TITLES.get(level, plain(level)) for level in levels]
    panels = Panels(titles, horizontal_spacing=0.07)
    lines = _lines(best["method"].tolist(), dictionaries)
    for panel, level in enumerate(levels):
        of_level = best[best["level"] == level]
        curves = {method: of_level.loc[of_level["method"] == method, "f1_test"] for method in lines}
        always_on = of_level.drop_duplicates("concept_id")["f1_always_on"]
        for method, values in {**curves, _ALWAYS_ON: always_on}.items():
            if values.empty:
                continue
            label = plain(dictionaries.method_label(method))
            label += " (floor)" if method == FLOOR_METHOD else ""
            ordered = values.sort_values(ascending=False)
            few = len(ordered) < 20
            trace = go.Scatter(
                x=[round((i + 1) / len(ordered), 4) for i in range(len(ordered))],
                y=[round(float(value), 4) for value in ordered],
                mode="lines+markers" if few else "lines",
                line=lines.get(method, {"color": GREY, "width": 1.5, "dash": "dot"}),
                name=label,
                hovertemplate=f"{label}<br>best %{{x:.0%}} of {len(ordered)} concepts: at least %{{y:.3f}}"
                "<extra></extra>",
            )
            panels.add(trace, panel, method)
    figure = panels.figure
    figure.update_xaxes(tickformat=".0%", title_text="share of the concepts")
    figure.update_yaxes(rangemode="tozero")
    figure.update_yaxes(title_text="F1 on test, best latent", col=1)
    return styled(figure, height=400, top=90, legend_lift=28)


def _lines(methods: list[str], dictionaries: Dictionaries) -> dict[str, dict[str, object]]:
    """Return the line of each method: dictionaries thick, references thin, the floor dashed."""
    names = [name for name in dictionaries.order if name in methods]
    references = sorted(set(methods).difference(names, (FLOOR_METHOD,)))
    colours = {name: _REFERENCE_COLOURS[i % len(_REFERENCE_COLOURS)] for i, name in enumerate(references)}
    return {
        **{name: {"color": dictionaries.colour(name), "width": 2.5} for name in names},
        **{name: {"color": colours[name], "width": 1.2} for name in references},
        FLOOR_METHOD: {"color": GREY, "width": 1.5, "dash": "dash"},
    }
