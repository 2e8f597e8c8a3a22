"""Declaration of the ingestion pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import assign_splits, audit_splits, parse_sequences


def create_pipeline() -> Pipeline:
    """Return the ingestion pipeline: FASTA to audited proteins."""
    return Pipeline(
        [
            Node(
                parse_sequences,
                inputs=["raw_sequences", "params:ingestion.sequences"],
                outputs=["sequences", "sequence_report"],
                name="parse_sequences",
            ),
            Node(
                assign_splits,
                inputs=["sequences", "raw_clusters", "params:ingestion.split"],
                outputs=["split_assignment", "split_report"],
                name="assign_splits",
            ),
            Node(
                audit_splits,
                inputs=["sequences", "split_assignment", "params:ingestion.audit"],
                outputs=["proteins", "split_audit"],
                name="audit_splits",
            ),
        ]
    )
