"""The toy ontology, and the full one where it is at hand."""

from tests.toy_ontology import gene_ontology, shared_data, toy, toy_annotations, toy_obo

__all__ = ["gene_ontology", "shared_data", "toy", "toy_annotations", "toy_obo"]
