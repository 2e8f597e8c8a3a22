"""Declaration of the explorer pipeline."""

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import ONTOLOGY, Wiring, as_named, by_part, node

from .nodes import build_explorer

_TABLES = (
    *("proteins", "concepts", "protein_labels", "labelled_aspects", "residue_labels", "protein_concepts"),
    *("metrics", "method_differences", "density_histogram", "concept_metrics", "concept_alignment"),
    *("missing_annotations_check", "raw_structures", "predicted"),
    *("steered", "steered_structures", "attributed", "steering_arms", "steering_doses"),
)
_OF_DICTIONARIES = (
    *("sae_checkpoint", "training_log", "residue_codes", "encoding"),
    *("latents", "latent_concepts", "latent_examples", "monosemanticity"),
    *("latent_cards", "latent_windows", "latent_enrichment"),
    *("explanations", "missing_annotations", "concept_scorers"),
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
    }
    return Pipeline([node(build_explorer, inputs, "explorer")])
