"""Declaration of the disentanglement pipeline."""

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import (
    LABELLED,
    ONTOLOGY,
    Wiring,
    as_named,
    by_part,
    node,
    of_dictionary,
    own,
)

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
_ANNOTATED = as_named("proteins", "protein_concepts", "judge_embeddings") | ONTOLOGY
_SETTING = {"config": "params:disentanglement.monosemanticity"}


def _measures_of(name: str) -> Pipeline:
    """Return what is measured of each dictionary."""
    read = own(name, "residue_codes", "encoding", "latent_statistics")
    nodes = [
        node(
            measure_monosemanticity,
            read | as_named("concepts") | _ANNOTATED | _SETTING,
            [f"{name}.{part}" for part in _MONOSEMANTICITY],
        ),
        node(
            measure_absorption,
            read | LABELLED | ONTOLOGY | {"config": "params:disentanglement.absorption"},
            [f"{name}.{part}" for part in _ABSORPTION],
        ),
    ]
    return of_dictionary(name, nodes)


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the disentanglement pipeline: MonoSemanticity, absorption and splitting of every dictionary."""
    measured = by_part(wiring.names, *_MONOSEMANTICITY, *_ABSORPTION)
    embedded = as_named("raw_judge_embeddings", "activation_shards", "mean_activations")
    hook_point = {"hook_point": "params:disentanglement.hook_point"}
    shared = [
        node(read_judge_embeddings, embedded | _SETTING, "judge_embeddings"),
        node(
            measure_neurons,
            as_named("mean_activations") | hook_point | _ANNOTATED | _SETTING,
            [f"{NEURONS}.{part}" for part in _MONOSEMANTICITY],
        ),
        node(
            collect_disentanglement,
            measured | by_part([NEURONS], *_MONOSEMANTICITY),
            ["monosemanticity", "absorption", "splitting", "disentanglement_metrics"],
        ),
    ]
    return sum((_measures_of(name) for name in wiring.names), Pipeline(shared))
