"""Declaration of the missing-annotations pipeline."""

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

from .nodes import check_missing_annotations, list_missing_annotations

REFERENCES = "references"
"""Stands for all methods that need no dictionary, where a dictionary's name stands."""

_CANDIDATES = {"candidates": "params:missing_annotations.candidates"}


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the missing-annotations pipeline: candidates of every dictionary, and one check of all
    methods."""
    shared = (
        LABELLED
        | as_named("neighbours", "mean_activations")
        | {"reference_scores": f"{REFERENCES}.concept_scores"}
        | {"scoring": "params:probing.scoring"}
        | _CANDIDATES
    )
    check = node(
        check_missing_annotations,
        as_named("mean_activations")
        | LABELLED
        | ONTOLOGY
        | {"hiding": "params:missing_annotations.hiding"}
        | _CANDIDATES
        | by_part((*wiring.names, REFERENCES), "concept_scores"),
        "missing_annotations_check",
    )
    listed = (
        of_dictionary(
            name,
            [
                node(
                    list_missing_annotations,
                    own(name, "residue_codes", "encoding", "concept_scores") | shared,
                    f"{name}.missing_annotations",
                )
            ],
        )
        for name in wiring.names
    )
    return sum(listed, Pipeline([check]))
