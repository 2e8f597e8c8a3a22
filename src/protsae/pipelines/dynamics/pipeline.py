"""Declaration of the dynamics pipeline."""

from kedro.pipeline import Node, Pipeline

from protsae.pipelines.wiring import Wiring, by_part, of_dictionary

from .nodes import locate_onsets, measure_curves, measure_guided_curves

_STORED = ("activation_shards", "proteins")
_KNOWLEDGE = ("protein_labels", "labelled_aspects", "residue_labels", "concepts", "axioms")


def _curves_of(name: str, *, guided: bool) -> Pipeline:
    """Return what is done with each dictionary."""
    measure = measure_guided_curves if guided else measure_curves
    node = Node(
        measure,
        inputs={
            "sae_checkpoint": f"{name}.sae_checkpoint",
            **{table: table for table in ((*_STORED, *_KNOWLEDGE) if guided else _STORED)},
            "trainer": "params:training.trainer",
        },
        outputs=f"{name}.training_curves",
        name=measure.__name__,
    )
    return of_dictionary(name, [node])


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the dynamics pipeline: snapshots of the trainings to curves, onsets and a figure."""
    onsets = Node(
        locate_onsets,
        inputs={
            "config": "params:dynamics.onsets",
            "dictionaries": "params:dictionaries",
            "comparison": "params:comparison",
            **by_part(wiring.names, "training_curves"),
        },
        outputs=["dynamics_onsets", "figure_dynamics"],
        name="locate_onsets",
    )
    measured = (_curves_of(name, guided=name in wiring.guided) for name in wiring.names)
    return sum(measured, Pipeline([onsets]))
