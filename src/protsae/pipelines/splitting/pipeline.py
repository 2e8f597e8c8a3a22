"""Declaration of the splitting pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import assign_splits, audit_splits


def create_pipeline() -> Pipeline:
    """Return the splitting pipeline: clusters to splits, audited by search."""
    return Pipeline(
        [
            Node(
                assign_splits,
                inputs=["protein_clusters", "cluster_report", "protein_concepts", "params:splitting.split"],
                outputs=["split_assignment", "split_report"],
                name="assign_splits",
            ),
            Node(
                audit_splits,
                inputs=[
                    "sequences",
                    "split_assignment",
                    "cluster_report",
                    "clonotypes",
                    "params:splitting.audit",
                ],
                outputs=["proteins", "split_audit"],
                name="audit_splits",
            ),
        ]
    )
