"""Declaration of the extraction pipeline."""

from kedro.pipeline import Node, Pipeline

from protsae.pipelines.extraction.nodes import (
    extract_activations,
    report_extraction,
    select_sequences,
)


def create_pipeline() -> Pipeline:
    """Return the extraction pipeline: proteins and a language model to activation shards."""
    return Pipeline(
        [
            Node(
                select_sequences, inputs="proteins", outputs="extraction_sequences", name="select_sequences"
            ),
            Node(
                extract_activations,
                inputs=["extraction_sequences", "plm_checkpoint", "params:extraction"],
                outputs="activation_shards",
                name="extract_activations",
            ),
            Node(
                report_extraction,
                inputs=["activation_shards", "params:extraction.outlier_warning"],
                outputs="extraction_report",
                name="report_extraction",
            ),
        ]
    )
