"""Declaration of the reporting pipeline."""

from dataclasses import fields

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import Wiring, as_named, by_part, node
from protsae.reporting.tables import ReportTables

from .nodes import (
    collect_metrics,
    lay_out_paper_table,
    name_sources,
    plot_data,
    plot_evidence,
    plot_latents,
    plot_methods,
    plot_training,
    render_report,
)

_MEASURED = ("score_metrics", "disentanglement_metrics", "alignment_metrics", "fidelity_metrics")
_TABLES = [field.name for field in fields(ReportTables) if field.name != "statistics"]
_FILES = (
    *("raw_sequences", "raw_annotations", "raw_ontology", "raw_axioms", "raw_clusters", "raw_concept_tables"),
    *("raw_concept_parents", "raw_features", "raw_binding_sites", "raw_motifs"),
)
_NAMED = {"dictionaries": "params:dictionaries", "comparison": "params:comparison"}
_NOT_ON_THE_PAGE = {"figure_fidelity_strata", "figure_absorption"}


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the reporting pipeline: all metrics in one table, figures of every stage, and the page that
    holds them."""
    evidence = as_named("metrics", "concept_alignment", "monosemanticity", "absorption")
    plots = [
        node(plot_data, ["proteins", "concepts"], ["figure_proteins", "figure_concept_counts"]),
        node(plot_training, _NAMED | by_part(wiring.names, "training_log"), "figure_training"),
        node(
            plot_methods,
            as_named("metrics", "concept_metrics") | _NAMED,
            ["figure_methods", "figure_concept_comparison"],
        ),
        node(
            plot_latents,
            as_named("latents", "density_histogram") | _NAMED,
            ["figure_density", "figure_latent_f1"],
        ),
        node(
            plot_evidence,
            evidence | _NAMED,
            [
                "figure_recovered_loss",
                "figure_fidelity_strata",
                "figure_alignment",
                "figure_monosemanticity",
                "figure_absorption",
            ],
        ),
    ]
    figures = sorted({name for plot in plots for name in plot.outputs} - _NOT_ON_THE_PAGE)
    page = {
        **{name: f"params:reporting.{name}" for name in ("texts", "cards")},
        **_NAMED,
        **as_named("data_sources", *_TABLES, *figures),
        **by_part(wiring.names, "latent_statistics", "sae_checkpoint"),
    }
    collect = node(collect_metrics, as_named(*_MEASURED), "metrics")
    paper = node(lay_out_paper_table, as_named("metrics") | _NAMED, "paper_table")
    named = node(name_sources, as_named(*_FILES), "data_sources")
    return Pipeline([collect, paper, named, *plots, node(render_report, page, "report")])
