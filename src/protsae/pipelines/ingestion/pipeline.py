"""Declaration of the ingestion pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import cluster_proteins, find_clonotypes, parse_sequences


def create_pipeline() -> Pipeline:
    """Return the ingestion pipeline: files to distinct sequences and their clusters."""
    return Pipeline(
        [
            Node(
                parse_sequences,
                inputs=["raw_sequences", "raw_held_back", "params:ingestion.sequences"],
                outputs=["sequences", "sequence_report"],
                name="parse_sequences",
            ),
            Node(
                find_clonotypes,
                inputs=["sequences", "raw_rearrangements"],
                outputs="clonotypes",
                name="find_clonotypes",
            ),
            Node(
                cluster_proteins,
                inputs=["sequences", "raw_clusters", "clonotypes", "params:ingestion.clusters"],
                outputs=["protein_clusters", "cluster_report"],
                name="cluster_proteins",
            ),
        ]
    )
