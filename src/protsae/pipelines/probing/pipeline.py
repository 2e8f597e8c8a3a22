"""Declaration of the probing pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    collect_metrics,
    encode_proteins,
    evaluate_scores,
    measure_subsumption,
    pool_activations,
    score_concepts,
)

DICTIONARIES = ("protsae", "topk")


def _encoding_of(dictionary: str) -> Pipeline:
    """Return the template of what is done with each dictionary, under its own namespace."""
    return Pipeline(
        [
            Node(
                encode_proteins,
                inputs=["activation_shards", "sae_checkpoint", "proteins", "params:probing.encoding"],
                outputs=["encoding", "latent_statistics", "reconstruction"],
                name="encode_proteins",
            )
        ],
        namespace=dictionary,
        inputs={"activation_shards", "proteins"},
        parameters={"params:probing.encoding"},
    )


def create_pipeline() -> Pipeline:
    """Return the probing pipeline: pooled activations and latents to scores of eight methods and their
    metrics."""
    shared = Pipeline(
        [
            Node(
                pool_activations,
                inputs=["activation_shards", "proteins", "params:probing.hook_point"],
                outputs="mean_activations",
                name="pool_activations",
            ),
            Node(
                score_concepts,
                inputs={
                    "protsae_encoding": "protsae.encoding",
                    "topk_encoding": "topk.encoding",
                    "mean_activations": "mean_activations",
                    "proteins": "proteins",
                    "concepts": "concepts",
                    "protein_labels": "protein_labels",
                    "config": "params:probing.scoring",
                },
                outputs="concept_scores",
                name="score_concepts",
            ),
            Node(
                evaluate_scores,
                inputs={
                    "concept_scores": "concept_scores",
                    "proteins": "proteins",
                    "concepts": "concepts",
                    "protein_labels": "protein_labels",
                    "ontology_terms": "ontology_terms",
                    "ontology_relations": "ontology_relations",
                    "config": "params:probing.evaluation",
                },
                outputs=["score_metrics", "concept_metrics"],
                name="evaluate_scores",
            ),
            Node(
                measure_subsumption,
                inputs=["protsae.sae_checkpoint", "axioms", "concepts"],
                outputs="subsumption_metrics",
                name="measure_subsumption",
            ),
            Node(
                collect_metrics,
                inputs=[
                    "score_metrics",
                    "subsumption_metrics",
                    "protsae.reconstruction",
                    "topk.reconstruction",
                ],
                outputs="metrics",
                name="collect_metrics",
            ),
        ]
    )
    return sum((_encoding_of(dictionary) for dictionary in DICTIONARIES), shared)
