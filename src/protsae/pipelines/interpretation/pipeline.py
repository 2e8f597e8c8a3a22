"""Declaration of the interpretation pipeline."""

from kedro.pipeline import Node, Pipeline

from protsae.pipelines.wiring import Wiring, by_part, of_dictionary

from .nodes import collect_latents, interpret_latents

_TABLES = ("latents", "latent_concepts", "latent_examples")
_SHARED = ("activation_shards", "proteins", "concepts", "protein_labels", "labelled_aspects")


def _interpretation_of(name: str) -> Pipeline:
    """Return what is done with each dictionary."""
    node = Node(
        interpret_latents,
        inputs={
            **{table: table for table in _SHARED},
            **{part: f"{name}.{part}" for part in ("sae_checkpoint", "encoding", "latent_statistics")},
            "matching": "params:interpretation.matching",
            "examples": "params:interpretation.examples",
        },
        outputs=[f"{name}.{table}" for table in _TABLES],
        name="interpret_latents",
    )
    return of_dictionary(name, [node])


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the interpretation pipeline: what every latent of every dictionary stands for."""
    collect = Node(
        collect_latents,
        inputs=by_part(wiring.names, *_TABLES),
        outputs=[*_TABLES, "latent_summary"],
        name="collect_latents",
    )
    return sum((_interpretation_of(name) for name in wiring.names), Pipeline([collect]))
