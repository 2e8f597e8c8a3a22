"""Declaration of the disentanglement pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    collect_disentanglement,
    measure_absorption,
    measure_monosemanticity,
    measure_neurons,
    plot_disentanglement,
    read_judge_embeddings,
)

DICTIONARIES = ("protsae", "topk")
OF_DICTIONARIES = (
    "monosemanticity",
    "monosemanticity_metrics",
    "absorption",
    "splitting",
    "absorption_metrics",
)
_ONTOLOGY = ("concept_terms", "concept_relations")
_ANNOTATED = ("proteins", "protein_concepts", *_ONTOLOGY, "judge_embeddings")
_LABELS = ("protein_labels", "labelled_aspects", "residue_labels")
_LABELLED = ("activation_shards", "proteins", "concepts", *_LABELS, *_ONTOLOGY)
_SETTINGS = {name: f"params:disentanglement.{name}" for name in ("monosemanticity", "absorption")}


def _measures_of(dictionary: str) -> Pipeline:
    """Return the template of what is measured of each dictionary, under its own namespace."""
    own = ("sae_checkpoint", "encoding", "latent_statistics")
    shared = ("activation_shards", "concepts", *_ANNOTATED)
    return Pipeline(
        [
            Node(
                measure_monosemanticity,
                inputs={
                    **{name: name for name in (*own, *shared)},
                    "config": _SETTINGS["monosemanticity"],
                },
                outputs=["monosemanticity", "monosemanticity_metrics"],
                name="measure_monosemanticity",
            ),
            Node(
                measure_absorption,
                inputs={**{name: name for name in (*own, *_LABELLED)}, "config": _SETTINGS["absorption"]},
                outputs=["absorption", "splitting", "absorption_metrics"],
                name="measure_absorption",
            ),
        ],
        namespace=dictionary,
        inputs={*shared, *_LABELLED},
        parameters=set(_SETTINGS.values()),
    )


def create_pipeline() -> Pipeline:
    """Return the disentanglement pipeline: MonoSemanticity, absorption and splitting of both dictionaries."""
    collected = {f"{name}_{part}": f"{name}.{part}" for name in DICTIONARIES for part in OF_DICTIONARIES}
    collected |= {f"neurons_{part}": f"neurons.{part}" for part in OF_DICTIONARIES[:2]}
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
                outputs=["neurons.monosemanticity", "neurons.monosemanticity_metrics"],
                name="measure_neurons",
            ),
            Node(
                collect_disentanglement,
                inputs=collected,
                outputs=["monosemanticity", "absorption", "splitting", "disentanglement_metrics"],
                name="collect_disentanglement",
            ),
            Node(
                plot_disentanglement,
                inputs=["monosemanticity", "absorption"],
                outputs=["figure_monosemanticity", "figure_absorption"],
                name="plot_disentanglement",
            ),
        ]
    )
    return sum((_measures_of(dictionary) for dictionary in DICTIONARIES), shared)
