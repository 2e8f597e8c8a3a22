"""Declaration of the interpretation pipeline."""

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import LABELLED, Wiring, by_part, node, of_dictionary, own

from .nodes import TABLES, collect_latents, interpret_latents

_SETTINGS = {name: f"params:interpretation.{name}" for name in ("matching", "examples")}


def _interpretation_of(name: str) -> Pipeline:
    """Return what is done with each dictionary."""
    inputs = LABELLED | own(name, "residue_codes", "encoding", "latent_statistics") | _SETTINGS
    return of_dictionary(name, [node(interpret_latents, inputs, [f"{name}.{table}" for table in TABLES])])


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the interpretation pipeline: what every latent of every dictionary stands for."""
    collect = node(collect_latents, by_part(wiring.names, *TABLES), [*TABLES, "latent_summary"])
    return sum((_interpretation_of(name) for name in wiring.names), Pipeline([collect]))
