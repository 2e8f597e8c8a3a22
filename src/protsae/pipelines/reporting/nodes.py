"""Nodes of the reporting pipeline: all metrics in one table, tables to figures to one page."""

from typing import Any

import pandas as pd

from protsae.reporting.config import CardLimits, ReportTexts
from protsae.reporting.tables import ReportTables


def collect_metrics(
    score_metrics: pd.DataFrame,
    residue_metrics: pd.DataFrame,
    subsumption_metrics: pd.DataFrame,
    disentanglement_metrics: pd.DataFrame,
    alignment_metrics: pd.DataFrame,
    protsae_reconstruction: pd.DataFrame,
    topk_reconstruction: pd.DataFrame,
    protsae_fidelity: pd.DataFrame,
    topk_fidelity: pd.DataFrame,
) -> pd.DataFrame:
    """Bring all metrics into one table."""
    from protsae.probing.collect import all_metrics

    reconstructions = [protsae_reconstruction, topk_reconstruction]
    measured = [residue_metrics, subsumption_metrics, disentanglement_metrics, alignment_metrics]
    fidelity = [protsae_fidelity, topk_fidelity]
    return all_metrics(score_metrics, measured, reconstructions, fidelity)


def plot_data(proteins: pd.DataFrame, concepts: pd.DataFrame) -> tuple[Any, Any]:
    """Return the figures (plotly) of the proteins per split and of the positives per concept."""
    from protsae.reporting.figures import concept_counts, protein_overview

    return protein_overview(proteins), concept_counts(concepts)


def plot_training(protsae_log: pd.DataFrame, topk_log: pd.DataFrame) -> Any:
    """Return the figure (plotly) of both dictionaries' training."""
    from protsae.reporting.figures import training_curves

    return training_curves({"protsae": protsae_log, "topk": topk_log})


def plot_methods(metrics: pd.DataFrame, concept_metrics: pd.DataFrame) -> tuple[Any, Any]:
    """Return the figures (plotly) that compare methods: overall, and concept by concept."""
    from protsae.reporting.figures import method_comparison
    from protsae.reporting.scatters import concept_comparison

    return method_comparison(metrics), concept_comparison(concept_metrics)


def plot_latents(
    protsae_statistics: pd.DataFrame, topk_statistics: pd.DataFrame, latents: pd.DataFrame
) -> tuple[Any, Any]:
    """Return the figures (plotly) of latent density and of F1 on validation against test."""
    from protsae.reporting.figures import latent_density
    from protsae.reporting.scatters import latent_f1

    return latent_density({"protsae": protsae_statistics, "topk": topk_statistics}), latent_f1(latents)


def render_report(texts: ReportTexts, cards: CardLimits, protsae_checkpoint: Any, **inputs: Any) -> str:
    """Return the report page (HTML).

    Args:
        texts: what only people can say about model, labels and sources.
        cards: how many latents get a card.
        protsae_checkpoint: a `SaeCheckpoint`, whose metadata the page states.
        inputs: the fields of `ReportTables` by name, and each slot's figure as `figure_<key>`.
    """
    from protsae.reporting.report import render_page

    prefix = "figure_"
    figures = {name.removeprefix(prefix): value for name, value in inputs.items() if name.startswith(prefix)}
    tables = {name: value for name, value in inputs.items() if not name.startswith(prefix)}
    return render_page(ReportTables(**tables), figures, texts, cards, protsae_checkpoint.metadata)
