"""Declaration of the extraction pipeline."""

from kedro.pipeline import Node, Pipeline

from protsae.pipelines.wiring import Wiring

from .nodes import (
    extract_activations,
    pool_activations,
    read_tables_of_files,
    report_extraction,
    select_sequences,
)


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the extraction pipeline: proteins and a language model to activation shards. Where activations
    come from files of any origin, what these say of proteins takes its place."""
    if wiring.source == "parquet":
        return Pipeline(
            [
                Node(
                    read_tables_of_files,
                    inputs=["activation_shards", "params:training.parquet"],
                    outputs=[
                        *("proteins", "concepts", "protein_labels", "labelled_aspects"),
                        *("residue_labels", "axioms"),
                    ],
                    name="read_tables_of_files",
                )
            ]
        )
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
                pool_activations,
                inputs=["activation_shards", "proteins", "params:extraction.hook_point"],
                outputs="mean_activations",
                name="pool_activations",
            ),
            Node(
                report_extraction,
                inputs=["activation_shards", "params:extraction.outlier_warning"],
                outputs="extraction_report",
                name="report_extraction",
            ),
        ]
    )
