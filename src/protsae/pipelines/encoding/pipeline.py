"""Declaration of the encoding pipeline."""

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import Wiring, node, of_dictionary

from .nodes import encode_proteins


def _encoding_of(name: str) -> Pipeline:
    """Return the pass of all proteins through one dictionary."""
    outputs = ("encoding", "latent_statistics", "reconstruction_sums", "residue_codes")
    inputs = ["activation_shards", f"{name}.sae_checkpoint", "proteins", "params:encoding"]
    return of_dictionary(name, [node(encode_proteins, inputs, [f"{name}.{output}" for output in outputs])])


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the encoding pipeline: what every dictionary makes of every protein."""
    return sum((_encoding_of(name) for name in wiring.names), Pipeline([]))
