"""Declaration of the probing pipeline."""

from kedro.pipeline import Node, Pipeline

from protsae.pipelines.wiring import Wiring, by_part, of_dictionary

from .nodes import (
    collect_residue_scores,
    compare_methods,
    evaluate_dictionary,
    evaluate_references,
    find_neighbours,
    measure_subsumption,
    pool_random_plm,
    score_dictionary,
    score_references,
    score_residues,
)

REFERENCES = "references"
"""Stands for all methods that need no dictionary, where a dictionary's name stands."""
_LABELLED = {name: name for name in ("proteins", "concepts", "protein_labels", "labelled_aspects")}
_ONTOLOGY = {name: name for name in ("concept_terms", "concept_relations")}
_SCORING = {"scoring": "params:probing.scoring"}
_EVALUATION = {"evaluation": "params:probing.evaluation"}


def _judged(name: str) -> list[str]:
    return [f"{name}.{part}" for part in ("score_metrics", "concept_metrics", "estimates")]


def _probing_of(name: str) -> Pipeline:
    """Return how one dictionary is scored and judged."""
    own = {"encoding": f"{name}.encoding", "sae_checkpoint": f"{name}.sae_checkpoint"}
    scores = {"concept_scores": f"{name}.concept_scores"}
    return of_dictionary(
        name,
        [
            Node(
                score_dictionary,
                inputs=own | _SCORING | _LABELLED,
                outputs=scores["concept_scores"],
                name="score_dictionary",
            ),
            Node(
                evaluate_dictionary,
                inputs=scores | own | _EVALUATION | _LABELLED | _ONTOLOGY,
                outputs=_judged(name),
                name="evaluate_dictionary",
            ),
        ],
    )


def _predictor_of(name: str) -> Pipeline:
    """Return what is measured of a dictionary's predictor: residue by residue, and its geometry."""
    return of_dictionary(
        name,
        [
            Node(
                score_residues,
                inputs={
                    "activation_shards": "activation_shards",
                    "sae_checkpoint": f"{name}.sae_checkpoint",
                    **_LABELLED,
                    "residue_labels": "residue_labels",
                    "encoding": "params:probing.encoding",
                    "config": "params:probing.evaluation",
                },
                outputs=[f"{name}.residue_metrics", f"{name}.residue_concept_metrics"],
                name="score_residues",
            ),
            Node(
                measure_subsumption,
                inputs=[f"{name}.sae_checkpoint", "axioms", "concepts"],
                outputs=f"{name}.subsumption_metrics",
                name="measure_subsumption",
            ),
        ],
    )


def _references() -> Pipeline:
    """Return what is scored without the dictionaries."""
    features = {name: name for name in ("mean_activations", "neighbours", "random_mean_activations")}
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
                    *("extraction_sequences", "plm_checkpoint"),
                    *("params:probing.hook_point", "params:probing.random_plm"),
                ],
                outputs="random_mean_activations",
                name="pool_random_plm",
            ),
            Node(
                score_references,
                inputs=features | _SCORING | _LABELLED,
                outputs=f"{REFERENCES}.concept_scores",
                name="score_references",
            ),
            Node(
                evaluate_references,
                inputs={
                    "concept_scores": f"{REFERENCES}.concept_scores",
                    "mean_activations": "mean_activations",
                    "hook_point": "params:probing.hook_point",
                    **_EVALUATION,
                    **_LABELLED,
                    **_ONTOLOGY,
                },
                outputs=_judged(REFERENCES),
                name="evaluate_references",
            ),
        ]
    )


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the probing pipeline: encoded proteins to scores of every dictionary and of references, judged
    alike and compared."""
    together = Pipeline(
        [
            Node(
                compare_methods,
                inputs={
                    "differences": "params:probing.differences",
                    "comparison": "params:comparison",
                    **_EVALUATION,
                    **by_part((*wiring.names, REFERENCES), "estimates", "concept_metrics"),
                },
                outputs=["method_differences", "concept_metrics"],
                name="compare_methods",
            ),
            Node(
                collect_residue_scores,
                inputs=by_part(wiring.predicting, "residue_concept_metrics") or None,
                outputs="residue_concept_metrics",
                name="collect_residue_scores",
            ),
        ]
    )
    of_dictionaries = [_probing_of(name) for name in wiring.names]
    of_predictors = [_predictor_of(name) for name in wiring.predicting]
    return sum([*of_dictionaries, *of_predictors], together + _references())
