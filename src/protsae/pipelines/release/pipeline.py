"""Declaration of the release pipeline."""

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import Wiring, as_named, node, of_dictionary, own

from .nodes import assemble_release

_TABLES = {
    "concept_scorers": "concept_scorers",
    "latents": "latent_cards",
    "explanations": "explanations",
    "latent_concepts": "latent_concepts",
    "latent_examples": "latent_examples",
}
"""Table of a release to the dataset `<dictionary>.<name>`."""


def _release_of(name: str) -> Pipeline:
    """Return what puts one dictionary's release together."""
    inputs = {
        **own(name, "sae_checkpoint"),
        **as_named("plm_checkpoint", "proteins", "split_report", "data_sources", "concepts"),
        **{table: f"{name}.{dataset}" for table, dataset in _TABLES.items()},
        "texts": "params:reporting.texts",
        "config": "params:release",
    }
    return of_dictionary(name, [node(assemble_release, inputs, f"{name}.release")])


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the release pipeline: every dictionary with all that prediction needs, in a folder."""
    return sum((_release_of(name) for name in wiring.names), Pipeline([]))
