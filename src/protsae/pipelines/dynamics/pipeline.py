"""Declaration of the dynamics pipeline."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline

from .nodes import locate_onsets, measure_protsae_curves, measure_topk_curves

_STORED = ("activation_shards", "proteins")
_KNOWLEDGE = ("protein_labels", "labelled_aspects", "residue_labels", "concepts", "axioms")


def create_pipeline() -> Pipeline:
    """Return the dynamics pipeline: snapshots of both trainings to curves, onsets and a figure."""
    of: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
        "protsae": (measure_protsae_curves, (*_STORED, *_KNOWLEDGE)),
        "topk": (measure_topk_curves, _STORED),
    }
    measured = [
        Node(
            measure,
            inputs={
                "sae_checkpoint": f"{method}.sae_checkpoint",
                **{name: name for name in tables},
                "trainer": "params:training.trainer",
            },
            outputs=f"{method}.training_curves",
            name=measure.__name__,
        )
        for method, (measure, tables) in of.items()
    ]
    onsets = Node(
        locate_onsets,
        inputs=["protsae.training_curves", "topk.training_curves", "params:dynamics.onsets"],
        outputs=["dynamics_onsets", "figure_dynamics"],
        name="locate_onsets",
    )
    return Pipeline([*measured, onsets])
