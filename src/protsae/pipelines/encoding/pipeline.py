"""Declaration of the encoding pipeline."""

from kedro.pipeline import Node, Pipeline

from protsae.pipelines.wiring import Wiring, of_dictionary

from .nodes import encode_proteins, pool_activations


def _encoding_of(name: str) -> Pipeline:
    """Return the pass of all proteins through one dictionary."""
    outputs = ("encoding", "latent_statistics", "reconstruction")
    node = Node(
        encode_proteins,
        inputs=["activation_shards", f"{name}.sae_checkpoint", "proteins", "params:probing.encoding"],
        outputs=[f"{name}.{output}" for output in outputs],
        name="encode_proteins",
    )
    return of_dictionary(name, [node])


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the encoding pipeline: what dictionaries, and none, make of every protein."""
    pool = Node(
        pool_activations,
        inputs=["activation_shards", "proteins", "params:probing.hook_point"],
        outputs="mean_activations",
        name="pool_activations",
    )
    return sum((_encoding_of(name) for name in wiring.names), Pipeline([pool]))
