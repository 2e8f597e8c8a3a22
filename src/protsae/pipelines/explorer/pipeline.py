"""Declaration of the explorer pipeline."""

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import ONTOLOGY, Wiring, as_named, by_part, node

from .nodes import build_explorer

_TABLES = (
    *("proteins", "concepts", "protein_labels", "residue_labels", "protein_concepts"),
    *("metrics", "method_differences", "density_histogram", "concept_metrics", "concept_alignment"),
)
_OF_DICTIONARIES = (
    *("sae_checkpoint", "training_log", "residue_codes"),
    *("latents", "latent_concepts", "latent_examples", "monosemanticity"),
)
_NAMED = {name: f"params:{name}" for name in ("explorer", "dictionaries", "comparison")}


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the explorer pipeline: the tables of a run as a folder that opens in a browser."""
    inputs = {
        **_NAMED,
        "texts": "params:reporting.texts",
        **as_named("data_sources", *_TABLES),
        **ONTOLOGY,
        **by_part(wiring.names, *_OF_DICTIONARIES),
        **by_part(wiring.predicting, "encoding"),
    }
    return Pipeline([node(build_explorer, inputs, "explorer")])
