"""Declaration of the interpretation pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import collect_latent_concepts, collect_latent_examples, collect_latents, interpret_latents

DICTIONARIES = ("protsae", "topk")


def _interpretation_of(dictionary: str) -> Pipeline:
    """Return the template of what is done with each dictionary, under its own namespace."""
    return Pipeline(
        [
            Node(
                interpret_latents,
                inputs={
                    "activation_shards": "activation_shards",
                    "sae_checkpoint": "sae_checkpoint",
                    "encoding": "encoding",
                    "latent_statistics": "latent_statistics",
                    "proteins": "proteins",
                    "concepts": "concepts",
                    "protein_labels": "protein_labels",
                    "labelled_aspects": "labelled_aspects",
                    "matching": "params:interpretation.matching",
                    "examples": "params:interpretation.examples",
                },
                outputs=["latents", "latent_concepts", "latent_examples"],
                name="interpret_latents",
            )
        ],
        namespace=dictionary,
        inputs={"activation_shards", "proteins", "concepts", "protein_labels", "labelled_aspects"},
        parameters={"params:interpretation.matching", "params:interpretation.examples"},
    )


def create_pipeline() -> Pipeline:
    """Return the interpretation pipeline: what every latent of both dictionaries stands for."""
    shared = Pipeline(
        [
            Node(
                collect_latents,
                inputs=["protsae.latents", "topk.latents"],
                outputs=["latents", "latent_summary"],
                name="collect_latents",
            ),
            Node(
                collect_latent_concepts,
                inputs=["protsae.latent_concepts", "topk.latent_concepts"],
                outputs="latent_concepts",
                name="collect_latent_concepts",
            ),
            Node(
                collect_latent_examples,
                inputs=["protsae.latent_examples", "topk.latent_examples"],
                outputs="latent_examples",
                name="collect_latent_examples",
            ),
        ]
    )
    return sum((_interpretation_of(dictionary) for dictionary in DICTIONARIES), shared)
