"""Declaration of the reporting pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import collect_metrics, plot_data, plot_latents, plot_methods, plot_training, render_report

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
    "latents",
    "latent_concepts",
    "latent_examples",
)
FIGURES = (
    "figure_proteins",
    "figure_concept_counts",
    "figure_training",
    "figure_methods",
    "figure_concept_comparison",
    "figure_density",
    "figure_latent_f1",
)


def create_pipeline() -> Pipeline:
    """Return the reporting pipeline: all metrics in one table, figures, and the page that holds them."""
    return Pipeline(
        [
            Node(
                collect_metrics,
                inputs=[
                    "score_metrics",
                    "residue_metrics",
                    "subsumption_metrics",
                    "disentanglement_metrics",
                    "alignment_metrics",
                    "protsae.reconstruction",
                    "topk.reconstruction",
                    "protsae.fidelity_metrics",
                    "topk.fidelity_metrics",
                ],
                outputs="metrics",
                name="collect_metrics",
            ),
            Node(
                plot_data,
                inputs=["proteins", "concepts"],
                outputs=["figure_proteins", "figure_concept_counts"],
                name="plot_data",
            ),
            Node(
                plot_training,
                inputs=["protsae.training_log", "topk.training_log"],
                outputs="figure_training",
                name="plot_training",
            ),
            Node(
                plot_methods,
                inputs=["metrics", "concept_metrics"],
                outputs=["figure_methods", "figure_concept_comparison"],
                name="plot_methods",
            ),
            Node(
                plot_latents,
                inputs=["protsae.latent_statistics", "topk.latent_statistics", "latents"],
                outputs=["figure_density", "figure_latent_f1"],
                name="plot_latents",
            ),
            Node(
                render_report,
                inputs={
                    **{name: name for name in (*TABLES, *FIGURES)},
                    "protsae_statistics": "protsae.latent_statistics",
                    "topk_statistics": "topk.latent_statistics",
                    "protsae_checkpoint": "protsae.sae_checkpoint",
                    "texts": "params:reporting.texts",
                    "cards": "params:reporting.cards",
                },
                outputs="report",
                name="render_report",
            ),
        ]
    )
