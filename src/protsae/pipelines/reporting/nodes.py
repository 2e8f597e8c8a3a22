"""Nodes of the reporting pipeline: tables to figures to one page."""

from typing import Any

import pandas as pd

from protsae.pipelines.wiring import parts_of
from protsae.reporting.config import CardLimits, ReportTexts
from protsae.reporting.tables import ReportTables


def collect_metrics(**measured: pd.DataFrame) -> pd.DataFrame:
    """Bring all metrics into one table: scores, what else was measured, then reconstruction and fidelity.

    Args:
        measured: rows of the metrics table, by what they are of.
    """
    from protsae.probing.collect import all_metrics

    whole = {part: list(parts_of(measured, part).values()) for part in ("reconstruction", "fidelity_metrics")}
    of_dictionaries = {id(table) for tables in whole.values() for table in tables}
    others = [table for table in measured.values() if id(table) not in of_dictionaries]
    return all_metrics(others, whole["reconstruction"], whole["fidelity_metrics"])


def plot_data(proteins: pd.DataFrame, concepts: pd.DataFrame) -> tuple[Any, Any]:
    """Return the figures (plotly) of the proteins per split and of the positives per concept."""
    from protsae.reporting.figures import concept_counts, protein_overview

    return protein_overview(proteins), concept_counts(concepts)


def plot_training(**logs: pd.DataFrame) -> Any:
    """Return the figure (plotly) of the dictionaries' training."""
    from protsae.reporting.figures import training_curves

    return training_curves(parts_of(logs, "training_log"))


def plot_methods(metrics: pd.DataFrame, concept_metrics: pd.DataFrame) -> tuple[Any, Any]:
    """Return the figures (plotly) that compare methods: overall, and concept by concept."""
    from protsae.reporting.figures import method_comparison
    from protsae.reporting.scatters import concept_comparison

    return method_comparison(metrics), concept_comparison(concept_metrics)


def plot_latents(latents: pd.DataFrame, **statistics: pd.DataFrame) -> tuple[Any, Any]:
    """Return the figures (plotly) of latent density and of F1 on validation against test."""
    from protsae.reporting.figures import latent_density
    from protsae.reporting.scatters import latent_f1

    return latent_density(parts_of(statistics, "latent_statistics")), latent_f1(latents)


def render_report(texts: ReportTexts, cards: CardLimits, **inputs: Any) -> str:
    """Return the report page (HTML).

    Args:
        texts: what only people can say about model, labels and sources.
        cards: how many latents get a card.
        inputs: the fields of `ReportTables` by name, each slot's figure as `figure_<key>`, and of every
            dictionary its `latent_statistics` and its `sae_checkpoint`, whose metadata the page states.
    """
    from protsae.reporting.report import render_page

    prefix = "figure_"
    figures = {name.removeprefix(prefix): value for name, value in inputs.items() if name.startswith(prefix)}
    statistics = parts_of(inputs, "latent_statistics")
    checkpoints = parts_of(inputs, "sae_checkpoint")
    tables = {
        name: value for name, value in inputs.items() if not name.startswith(prefix) and "__" not in name
    }
    page = ReportTables(
        **tables, protsae_statistics=statistics["protsae"], topk_statistics=statistics["topk"]
    )
    return render_page(page, figures, texts, cards, checkpoints["protsae"].metadata)
