"""Declaration of the probing pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    encode_proteins,
    evaluate_scores,
    find_neighbours,
    measure_subsumption,
    pool_activations,
    pool_random_plm,
    score_baselines,
    score_concepts,
    score_residues,
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


def _baselines() -> Pipeline:
    """Return what is scored without the dictionaries."""
    return Pipeline(
        [
            Node(
                find_neighbours,
                inputs=["proteins", "params:probing.neighbours"],
                outputs="neighbours",
                name="find_neighbours",
            ),
            Node(
                pool_random_plm,
                inputs=[
                    "extraction_sequences",
                    "plm_checkpoint",
                    "params:probing.hook_point",
                    "params:probing.random_plm",
                ],
                outputs="random_mean_activations",
                name="pool_random_plm",
            ),
            Node(
                score_baselines,
                inputs={
                    "neighbours": "neighbours",
                    "random_mean_activations": "random_mean_activations",
                    "proteins": "proteins",
                    "concepts": "concepts",
                    "protein_labels": "protein_labels",
                    "labelled_aspects": "labelled_aspects",
                    "config": "params:probing.scoring",
                },
                outputs="baseline_scores",
                name="score_baselines",
            ),
        ]
    )


def create_pipeline() -> Pipeline:
    """Return the probing pipeline: pooled activations and latents to scores of eleven methods and their
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
                    "labelled_aspects": "labelled_aspects",
                    "config": "params:probing.scoring",
                },
                outputs="concept_scores",
                name="score_concepts",
            ),
            Node(
                evaluate_scores,
                inputs={
                    "concept_scores": "concept_scores",
                    "baseline_scores": "baseline_scores",
                    "proteins": "proteins",
                    "concepts": "concepts",
                    "protein_labels": "protein_labels",
                    "labelled_aspects": "labelled_aspects",
                    "concept_terms": "concept_terms",
                    "concept_relations": "concept_relations",
                    "config": "params:probing.evaluation",
                },
                outputs=["score_metrics", "concept_metrics", "method_differences"],
                name="evaluate_scores",
            ),
            Node(
                score_residues,
                inputs={
                    "activation_shards": "activation_shards",
                    "sae_checkpoint": "protsae.sae_checkpoint",
                    "proteins": "proteins",
                    "concepts": "concepts",
                    "protein_labels": "protein_labels",
                    "labelled_aspects": "labelled_aspects",
                    "residue_labels": "residue_labels",
                    "encoding": "params:probing.encoding",
                    "config": "params:probing.evaluation",
                },
                outputs=["residue_metrics", "residue_concept_metrics"],
                name="score_residues",
            ),
            Node(
                measure_subsumption,
                inputs=["protsae.sae_checkpoint", "axioms", "concepts"],
                outputs="subsumption_metrics",
                name="measure_subsumption",
            ),
        ]
    )
    return sum((_encoding_of(dictionary) for dictionary in DICTIONARIES), shared + _baselines())
