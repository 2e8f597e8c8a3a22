"""Nodes of the reporting pipeline: tables to figures to one page."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.pipelines.wiring import parts_of
from protsae.probing.config import ComparisonConfig
from protsae.reporting.config import CardLimits, ReportTexts
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.tables import ReportTables

Listed = dict[str, Any]
"""The parameter `dictionaries`."""


def collect_metrics(**measured: pd.DataFrame) -> pd.DataFrame:
    """Stack the rows of the metrics table that the stages before have measured."""
    from protsae.metrics.table import concat_metrics

    return concat_metrics(measured.values())


def lay_out_paper_table(
    metrics: pd.DataFrame, dictionaries: Listed, comparison: ComparisonConfig
) -> pd.DataFrame:
    """Return the scores in the layout of Table 1 of ProtSAE's paper."""
    from protsae.reporting.paper_table import paper_table

    return paper_table(metrics, Dictionaries.of(dictionaries, comparison))


def plot_data(proteins: pd.DataFrame, concepts: pd.DataFrame) -> tuple[Any, Any]:
    """Return the figures (plotly) of the proteins per split and of the positives per concept."""
    from protsae.reporting.figures import concept_counts, protein_overview

    return protein_overview(proteins), concept_counts(concepts)


def plot_training(dictionaries: Listed, comparison: ComparisonConfig, **logs: pd.DataFrame) -> Any:
    """Return the figure (plotly) of the dictionaries' training."""
    from protsae.reporting.figures import training_curves

    named = Dictionaries.of(dictionaries, comparison)
    return training_curves(parts_of(logs, "training_log"), named)


def plot_methods(
    metrics: pd.DataFrame, concept_metrics: pd.DataFrame, dictionaries: Listed, comparison: ComparisonConfig
) -> tuple[Any, Any]:
    """Return the figures (plotly) that compare methods: overall, and concept by concept."""
    from protsae.reporting.figures import method_comparison
    from protsae.reporting.scatters import concept_comparison

    named = Dictionaries.of(dictionaries, comparison)
    return method_comparison(metrics, named), concept_comparison(concept_metrics, named)


def plot_latents(
    latents: pd.DataFrame,
    density_histogram: pd.DataFrame,
    dictionaries: Listed,
    comparison: ComparisonConfig,
) -> tuple[Any, Any]:
    """Return the figures (plotly) of latent density and of F1 on validation against test."""
    from protsae.reporting.figures import latent_density
    from protsae.reporting.scatters import latent_f1

    named = Dictionaries.of(dictionaries, comparison)
    return latent_density(density_histogram, named), latent_f1(latents, named)


def plot_evidence(
    metrics: pd.DataFrame,
    concept_alignment: pd.DataFrame,
    monosemanticity: pd.DataFrame,
    absorption: pd.DataFrame,
    dictionaries: Listed,
    comparison: ComparisonConfig,
) -> tuple[Any, ...]:
    """Return the figures (plotly) of fidelity (recovered loss, and its strata), of alignment and of
    disentanglement (MonoSemanticity, absorption)."""
    from protsae.reporting.alignment import alignment_curves
    from protsae.reporting.disentanglement import absorption_pairs, monosemanticity_curves
    from protsae.reporting.fidelity import fidelity_strata, recovered_loss

    named = Dictionaries.of(dictionaries, comparison)
    return (
        recovered_loss(metrics, named),
        fidelity_strata(metrics, named),
        alignment_curves(concept_alignment, named),
        monosemanticity_curves(monosemanticity, named),
        absorption_pairs(absorption, named),
    )


def name_sources(**files: Path | dict[str, Path] | None) -> dict[str, dict[str, str]]:
    """Return name and hash of every file that the user gave, so that the report speaks of these files."""
    from protsae.reporting.sources import source_files

    return source_files({name.removeprefix("raw_").replace("_", " "): given for name, given in files.items()})


def render_report(
    texts: ReportTexts,
    cards: CardLimits,
    dictionaries: Listed,
    comparison: ComparisonConfig,
    data_sources: dict[str, dict[str, str]],
    **inputs: Any,
) -> str:
    """Return the report page (HTML).

    Args:
        texts: what only people can say about model, labels and sources.
        cards: how many latents get a card.
        dictionaries: those of the run.
        comparison: subject and rival.
        data_sources: name and hash of the files of this run.
        inputs: the fields of `ReportTables` by name, the figures as `figure_<key>`, and of every dictionary
            its `latent_statistics` and its `sae_checkpoint`, whose metadata the page states.
    """
    from protsae.reporting.report import render_page
    from protsae.reporting.sources import with_sources

    prefix = "figure_"
    figures = {name.removeprefix(prefix): value for name, value in inputs.items() if name.startswith(prefix)}
    tables = {
        name: value for name, value in inputs.items() if not name.startswith(prefix) and "__" not in name
    }
    page = ReportTables(**tables, statistics=parts_of(inputs, "latent_statistics"))
    subject = parts_of(inputs, "sae_checkpoint")[comparison.subject]
    named = Dictionaries.of(dictionaries, comparison)
    texts = with_sources(texts, data_sources, subject.metadata)
    return render_page(page, figures, texts, cards, subject.metadata, named)
