"""Declaration of the fidelity pipeline."""

from kedro.pipeline import Node, Pipeline

from protsae.pipelines.wiring import Wiring, of_dictionary

from .nodes import (
    choose_fidelity_sequences,
    judge_fidelity,
    measure_ablations,
    measure_reconstruction,
    splice_dictionary,
)


def _fidelity_of(name: str) -> Pipeline:
    """Return what is done with each dictionary."""
    checkpoint = f"{name}.sae_checkpoint"
    nodes = [
        Node(
            splice_dictionary,
            inputs=["plm_checkpoint", checkpoint, "fidelity_sequences", "params:fidelity.passes"],
            outputs=f"{name}.spliced_losses",
            name="splice_dictionary",
        ),
        Node(
            measure_reconstruction,
            inputs=["activation_shards", checkpoint, "proteins", "params:fidelity.encoding"],
            outputs=[f"{name}.reconstruction_sums", f"{name}.latent_densities"],
            name="measure_reconstruction",
        ),
        Node(
            judge_fidelity,
            inputs={
                "plm_losses": "plm_losses",
                **{
                    part: f"{name}.{part}"
                    for part in ("spliced_losses", "reconstruction_sums", "latent_densities")
                },
                "sae_checkpoint": checkpoint,
                "hook_point": "params:fidelity.hook_point",
                "config": "params:fidelity.judging",
            },
            outputs=[f"{name}.fidelity_metrics", f"{name}.density_histogram"],
            name="judge_fidelity",
        ),
    ]
    return of_dictionary(name, nodes)


def create_pipeline(wiring: Wiring) -> Pipeline:
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
        ]
    )
    return sum((_fidelity_of(name) for name in wiring.names), shared)
