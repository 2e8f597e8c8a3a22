"""Declaration of the ingestion pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import assign_splits, audit_splits, cluster_proteins, parse_sequences


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
                cluster_proteins,
                inputs=["sequences", "raw_clusters", "params:ingestion.clusters"],
                outputs=["protein_clusters", "cluster_report"],
                name="cluster_proteins",
            ),
            Node(
                assign_splits,
                inputs=["protein_clusters", "cluster_report", "protein_concepts", "params:ingestion.split"],
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
