"""Declaration of the probing pipeline."""

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
    compare_methods,
    describe_scorers,
    evaluate_dictionary,
    evaluate_references,
    find_neighbours,
    gate_linear_probe,
    list_twins,
    measure_subsumption,
    pool_random_plm,
    score_dictionary,
    score_references,
    score_residues,
)

REFERENCES = "references"
"""Stands for all methods that need no dictionary, where a dictionary's name stands."""
_SCORING = {"scoring": "params:probing.scoring"}
_EVALUATION = {"evaluation": "params:probing.evaluation"}
_JUDGED = ("score_metrics", "concept_metrics", "estimates")
_OF_RESIDUES = ("residue_metrics", "residue_concept_metrics")


def _probing_of(name: str, *, predicts: bool) -> Pipeline:
    """Return how one dictionary is scored and judged; a predictor residue by residue too, and its
    geometry."""
    read, scores = own(name, "encoding", "sae_checkpoint"), own(name, "concept_scores")
    nodes = [
        node(score_dictionary, read | _SCORING | LABELLED, f"{name}.concept_scores"),
        node(
            evaluate_dictionary,
            scores | read | _EVALUATION | LABELLED | ONTOLOGY,
            [f"{name}.{part}" for part in _JUDGED],
        ),
        node(describe_scorers, scores | read | _SCORING | _EVALUATION | LABELLED, f"{name}.concept_scorers"),
    ]
    if predicts:
        nodes += [
            node(
                score_residues,
                own(name, "residue_codes", "encoding") | LABELLED | _EVALUATION,
                [f"{name}.{part}" for part in _OF_RESIDUES],
            ),
            node(
                measure_subsumption,
                [f"{name}.sae_checkpoint", "axioms", "concepts"],
                f"{name}.subsumption_metrics",
            ),
        ]
    return of_dictionary(name, nodes)


def _references() -> Pipeline:
    """Return what is scored without the dictionaries."""
    activations = as_named("activation_shards", "mean_activations")
    tables = activations | as_named("neighbours", "random_mean_activations", "gated_probe_scores")
    gating = activations | {"gated_probe": "params:probing.gated_probe"}
    hook_point = {"hook_point": "params:probing.hook_point"}
    model = {**as_named("extraction_sequences", "plm_checkpoint"), "config": "params:probing.random_plm"}
    read = own(REFERENCES, "concept_scores") | as_named("mean_activations")
    nodes = [
        node(find_neighbours, ["proteins", "params:probing.neighbours"], "neighbours"),
        node(list_twins, as_named("mean_activations") | _EVALUATION | LABELLED, "concept_twins"),
        node(gate_linear_probe, gating | hook_point | _SCORING | LABELLED, "gated_probe_scores"),
        node(pool_random_plm, model | hook_point, "random_mean_activations"),
        node(score_references, tables | hook_point | _SCORING | LABELLED, f"{REFERENCES}.concept_scores"),
        node(
            evaluate_references,
            read | hook_point | _EVALUATION | LABELLED | ONTOLOGY,
            [f"{REFERENCES}.{part}" for part in _JUDGED],
        ),
    ]
    return Pipeline(nodes)


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the probing pipeline: encoded proteins to scores of every dictionary and of references, judged
    alike and compared."""
    compare = node(
        compare_methods,
        {
            "differences": "params:probing.differences",
            "comparison": "params:comparison",
            **_EVALUATION,
            **by_part((*wiring.names, REFERENCES), *_JUDGED),
            **by_part(wiring.predicting, *_OF_RESIDUES, "subsumption_metrics"),
        },
        ["score_metrics", "method_differences", "concept_metrics", "residue_concept_metrics"],
    )
    of_dictionaries = (_probing_of(name, predicts=name in wiring.predicting) for name in wiring.names)
    return sum(of_dictionaries, Pipeline([compare]) + _references())
