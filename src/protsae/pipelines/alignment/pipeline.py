"""Declaration of the alignment pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    align_baselines,
    align_dictionary,
    collect_alignment,
    collect_alignment_metrics,
    collect_k_sparse,
)

DICTIONARIES = ("protsae", "topk")
_METHODS = (*DICTIONARIES, "baselines")
_LABELS = ("proteins", "concepts", "protein_labels", "labelled_aspects", "residue_labels")
_JUDGING = ("choice", "k_sparse")
_OUTPUTS = ("alignment", "k_sparse", "alignment_metrics")


def _alignment_of(dictionary: str) -> Pipeline:
    """Return the template of what is done with each dictionary, under its own namespace."""
    return Pipeline(
        [
            Node(
                align_dictionary,
                inputs={
                    **{name: name for name in ("activation_shards", "sae_checkpoint", "encoding", *_LABELS)},
                    **{name: f"params:alignment.{name}" for name in _JUDGING},
                },
                outputs=list(_OUTPUTS),
                name="align_dictionary",
            )
        ],
        namespace=dictionary,
        inputs={"activation_shards", *_LABELS},
        parameters={f"params:alignment.{name}" for name in _JUDGING},
    )


def create_pipeline() -> Pipeline:
    """Return the alignment pipeline: which concepts single latents stand for, beside baselines."""
    shared = Pipeline(
        [
            Node(
                align_baselines,
                inputs={
                    **{name: name for name in ("activation_shards", "plm_checkpoint", *_LABELS)},
                    **{name: f"params:alignment.{name}" for name in ("hook_point", "baselines", *_JUDGING)},
                },
                outputs=[f"baselines.{name}" for name in _OUTPUTS],
                name="align_baselines",
            ),
            Node(
                collect_alignment,
                inputs=[*(f"{name}.alignment" for name in _METHODS), "params:alignment.choice"],
                outputs=["concept_alignment", "alignment_summary"],
                name="collect_alignment",
            ),
            Node(
                collect_k_sparse,
                inputs=[f"{name}.k_sparse" for name in _METHODS],
                outputs="k_sparse_probes",
                name="collect_k_sparse",
            ),
            Node(
                collect_alignment_metrics,
                inputs=[f"{name}.alignment_metrics" for name in _METHODS],
                outputs="alignment_metrics",
                name="collect_alignment_metrics",
            ),
        ]
    )
    return sum((_alignment_of(dictionary) for dictionary in DICTIONARIES), shared)
