"""Declaration of the alignment pipeline."""

from kedro.pipeline import Node, Pipeline

from protsae.pipelines.wiring import Wiring, by_part, of_dictionary

from .nodes import align_baselines, align_dictionary, collect_alignment

BASELINES = "baselines"
"""Stands for all methods that were not trained, where a dictionary's name stands."""
_SHARED = (
    "activation_shards",
    "proteins",
    "concepts",
    "protein_labels",
    "labelled_aspects",
    "residue_labels",
)
_JUDGING = {name: f"params:alignment.{name}" for name in ("choice", "k_sparse")}
_OUTPUTS = ("alignment", "k_sparse", "alignment_metrics")


def _alignment_of(name: str) -> Pipeline:
    """Return what is done with each dictionary."""
    node = Node(
        align_dictionary,
        inputs={
            **{table: table for table in _SHARED},
            **{part: f"{name}.{part}" for part in ("sae_checkpoint", "encoding")},
            **_JUDGING,
        },
        outputs=[f"{name}.{output}" for output in _OUTPUTS],
        name="align_dictionary",
    )
    return of_dictionary(name, [node])


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the alignment pipeline: which concepts single latents stand for, compared with baselines."""
    shared = Pipeline(
        [
            Node(
                align_baselines,
                inputs={
                    **{table: table for table in ("plm_checkpoint", *_SHARED)},
                    **{name: f"params:alignment.{name}" for name in ("hook_point", "baselines")},
                    **_JUDGING,
                },
                outputs=[f"{BASELINES}.{output}" for output in _OUTPUTS],
                name="align_baselines",
            ),
            Node(
                collect_alignment,
                inputs={"choice": _JUDGING["choice"], **by_part((*wiring.names, BASELINES), *_OUTPUTS)},
                outputs=["concept_alignment", "alignment_summary", "k_sparse_probes", "alignment_metrics"],
                name="collect_alignment",
            ),
        ]
    )
    return sum((_alignment_of(name) for name in wiring.names), shared)
