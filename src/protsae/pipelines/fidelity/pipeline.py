"""Declaration of the fidelity pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    choose_fidelity_sequences,
    judge_fidelity,
    measure_ablations,
    measure_reconstruction,
    plot_fidelity,
    splice_dictionary,
)

DICTIONARIES = ("protsae", "topk")
_SHARED = {"plm_checkpoint", "activation_shards", "proteins", "fidelity_sequences", "plm_losses"}
_PARAMETERS = {f"params:fidelity.{name}" for name in ("hook_point", "passes", "encoding", "judging")}


def _fidelity_of(dictionary: str) -> Pipeline:
    """Return the template of what is done with each dictionary, under its own namespace."""
    nodes = [
        Node(
            splice_dictionary,
            inputs=["plm_checkpoint", "sae_checkpoint", "fidelity_sequences", "params:fidelity.passes"],
            outputs="spliced_losses",
            name="splice_dictionary",
        ),
        Node(
            measure_reconstruction,
            inputs=["activation_shards", "sae_checkpoint", "proteins", "params:fidelity.encoding"],
            outputs=["reconstruction_sums", "latent_densities"],
            name="measure_reconstruction",
        ),
        Node(
            judge_fidelity,
            inputs={
                "plm_losses": "plm_losses",
                "spliced_losses": "spliced_losses",
                "reconstruction_sums": "reconstruction_sums",
                "latent_densities": "latent_densities",
                "sae_checkpoint": "sae_checkpoint",
                "hook_point": "params:fidelity.hook_point",
                "config": "params:fidelity.judging",
            },
            outputs=["fidelity_metrics", "density_histogram"],
            name="judge_fidelity",
        ),
    ]
    return Pipeline(nodes, namespace=dictionary, inputs=_SHARED, parameters=_PARAMETERS)


def create_pipeline() -> Pipeline:
    """Return the fidelity pipeline: the language model's loss with each dictionary spliced in."""
    shared = Pipeline(
        [
            Node(
                choose_fidelity_sequences,
                inputs=["activation_shards", "proteins", "params:fidelity.sequences"],
                outputs=["fidelity_sequences", "fidelity_report"],
                name="choose_fidelity_sequences",
            ),
            Node(
                measure_ablations,
                inputs={
                    "plm_checkpoint": "plm_checkpoint",
                    "activation_shards": "activation_shards",
                    "proteins": "proteins",
                    "fidelity_sequences": "fidelity_sequences",
                    "hook_point": "params:fidelity.hook_point",
                    "config": "params:fidelity.passes",
                },
                outputs="plm_losses",
                name="measure_ablations",
            ),
            Node(
                plot_fidelity,
                inputs=[f"{dictionary}.fidelity_metrics" for dictionary in DICTIONARIES],
                outputs=["figure_recovered_loss", "figure_fidelity_strata"],
                name="plot_fidelity",
            ),
        ]
    )
    return sum((_fidelity_of(dictionary) for dictionary in DICTIONARIES), shared)
