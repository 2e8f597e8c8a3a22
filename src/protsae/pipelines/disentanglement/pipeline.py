"""Declaration of the disentanglement pipeline."""

from kedro.pipeline import Node, Pipeline

from protsae.pipelines.wiring import Wiring, by_part, of_dictionary

from .nodes import (
    collect_disentanglement,
    measure_absorption,
    measure_monosemanticity,
    measure_neurons,
    read_judge_embeddings,
)

NEURONS = "neurons"
"""Stands for the dimensions of the activations, where a dictionary's name stands."""
_MONOSEMANTICITY = ("monosemanticity", "monosemanticity_metrics")
_ABSORPTION = ("absorption", "splitting", "absorption_metrics")
_ONTOLOGY = ("concept_terms", "concept_relations")
_ANNOTATED = ("proteins", "protein_concepts", *_ONTOLOGY, "judge_embeddings")
_LABELS = ("protein_labels", "labelled_aspects", "residue_labels")
_LABELLED = ("activation_shards", "proteins", "concepts", *_LABELS, *_ONTOLOGY)
_SETTINGS = {name: f"params:disentanglement.{name}" for name in ("monosemanticity", "absorption")}


def _measures_of(name: str) -> Pipeline:
    """Return what is measured of each dictionary."""
    own = {part: f"{name}.{part}" for part in ("sae_checkpoint", "encoding", "latent_statistics")}
    return of_dictionary(
        name,
        [
            Node(
                measure_monosemanticity,
                inputs={
                    **own,
                    **{table: table for table in ("activation_shards", "concepts", *_ANNOTATED)},
                    "config": _SETTINGS["monosemanticity"],
                },
                outputs=[f"{name}.{part}" for part in _MONOSEMANTICITY],
                name="measure_monosemanticity",
            ),
            Node(
                measure_absorption,
                inputs={**own, **{table: table for table in _LABELLED}, "config": _SETTINGS["absorption"]},
                outputs=[f"{name}.{part}" for part in _ABSORPTION],
                name="measure_absorption",
            ),
        ],
    )


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the disentanglement pipeline: MonoSemanticity, absorption and splitting of every dictionary."""
    collected = by_part(wiring.names, *_MONOSEMANTICITY, *_ABSORPTION) | by_part([NEURONS], *_MONOSEMANTICITY)
    shared = Pipeline(
        [
            Node(
                read_judge_embeddings,
                inputs=[
                    "raw_judge_embeddings",
                    "activation_shards",
                    "mean_activations",
                    _SETTINGS["monosemanticity"],
                ],
                outputs="judge_embeddings",
                name="read_judge_embeddings",
            ),
            Node(
                measure_neurons,
                inputs={
                    "mean_activations": "mean_activations",
                    **{name: name for name in _ANNOTATED},
                    "hook_point": "params:disentanglement.hook_point",
                    "config": _SETTINGS["monosemanticity"],
                },
                outputs=[f"{NEURONS}.{part}" for part in _MONOSEMANTICITY],
                name="measure_neurons",
            ),
            Node(
                collect_disentanglement,
                inputs=collected,
                outputs=["monosemanticity", "absorption", "splitting", "disentanglement_metrics"],
                name="collect_disentanglement",
            ),
        ]
    )
    return sum((_measures_of(name) for name in wiring.names), shared)
