"""Declaration of the reporting pipeline."""

from kedro.pipeline import Node, Pipeline

from protsae.pipelines.wiring import Wiring, by_part

from .nodes import (
    collect_metrics,
    plot_data,
    plot_evidence,
    plot_latents,
    plot_methods,
    plot_training,
    render_report,
)

REFERENCES = "references"
TABLES = (
    "proteins",
    "split_audit",
    "sequence_report",
    "annotation_report",
    "annotation_ids",
    "concepts",
    "concepts_left_out",
    "metrics",
    "concept_metrics",
    "residue_concept_metrics",
    "method_differences",
    "latents",
    "latent_concepts",
    "latent_examples",
    "alignment_summary",
)
FIGURES = (
    "figure_proteins",
    "figure_concept_counts",
    "figure_training",
    "figure_methods",
    "figure_concept_comparison",
    "figure_density",
    "figure_latent_f1",
    "figure_recovered_loss",
    "figure_alignment",
    "figure_monosemanticity",
)
_NAMED = {"dictionaries": "params:dictionaries", "comparison": "params:comparison"}


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the reporting pipeline: all metrics in one table, figures of every stage, and the page that
    holds them."""
    measured = {
        **by_part((*wiring.names, REFERENCES), "score_metrics"),
        **by_part(wiring.predicting, "residue_metrics", "subsumption_metrics"),
        "disentanglement_metrics": "disentanglement_metrics",
        "alignment_metrics": "alignment_metrics",
        **by_part(wiring.names, "reconstruction", "fidelity_metrics"),
    }
    return Pipeline(
        [
            Node(collect_metrics, inputs=measured, outputs="metrics", name="collect_metrics"),
            Node(
                plot_data,
                inputs=["proteins", "concepts"],
                outputs=["figure_proteins", "figure_concept_counts"],
                name="plot_data",
            ),
            Node(
                plot_training,
                inputs=_NAMED | by_part(wiring.names, "training_log"),
                outputs="figure_training",
                name="plot_training",
            ),
            Node(
                plot_methods,
                inputs={"metrics": "metrics", "concept_metrics": "concept_metrics", **_NAMED},
                outputs=["figure_methods", "figure_concept_comparison"],
                name="plot_methods",
            ),
            Node(
                plot_latents,
                inputs={"latents": "latents", **_NAMED, **by_part(wiring.names, "latent_statistics")},
                outputs=["figure_density", "figure_latent_f1"],
                name="plot_latents",
            ),
            Node(
                plot_evidence,
                inputs={
                    **{
                        name: name
                        for name in ("metrics", "concept_alignment", "monosemanticity", "absorption")
                    },
                    **_NAMED,
                },
                outputs=[
                    *("figure_recovered_loss", "figure_fidelity_strata", "figure_alignment"),
                    *("figure_monosemanticity", "figure_absorption"),
                ],
                name="plot_evidence",
            ),
            Node(
                render_report,
                inputs={
                    "texts": "params:reporting.texts",
                    "cards": "params:reporting.cards",
                    **_NAMED,
                    **{name: name for name in (*TABLES, *FIGURES)},
                    **by_part(wiring.names, "latent_statistics", "sae_checkpoint"),
                },
                outputs="report",
                name="render_report",
            ),
        ]
    )
