"""Declaration of the annotation pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import gather_concepts, join_annotations, merge_concepts, parse_ontology


def create_pipeline() -> Pipeline:
    """Return the annotation pipeline: ontology and annotations to who carries which concept."""
    return Pipeline(
        [
            Node(
                parse_ontology,
                inputs=["raw_ontology", "raw_axioms"],
                outputs=[
                    "ontology_terms",
                    "ontology_relations",
                    "ontology_axioms",
                    "go_norm",
                    "ontology_report",
                ],
                name="parse_ontology",
            ),
            Node(
                join_annotations,
                inputs=[
                    "raw_annotations",
                    "sequences",
                    "ontology_terms",
                    "ontology_relations",
                    "ontology_report",
                    "params:annotation.preset",
                    "params:annotation.annotations",
                    "params:annotation.join",
                ],
                outputs=[
                    "ontology_concepts",
                    "annotation_ids",
                    "annotation_accessions",
                    "annotation_report",
                ],
                name="join_annotations",
            ),
            Node(
                gather_concepts,
                inputs=[
                    "sequences",
                    "raw_concept_tables",
                    "raw_concept_parents",
                    "raw_features",
                    "raw_binding_sites",
                    "raw_motifs",
                    "raw_rearrangements",
                    "params:annotation.sources",
                ],
                outputs=[
                    "source_terms",
                    "source_relations",
                    "source_concepts",
                    "residue_concepts",
                    "source_labelled",
                    "source_ids",
                    "source_report",
                ],
                name="gather_concepts",
            ),
            Node(
                merge_concepts,
                inputs=[
                    "ontology_terms",
                    "ontology_relations",
                    "ontology_concepts",
                    "source_terms",
                    "source_relations",
                    "source_concepts",
                    "source_labelled",
                ],
                outputs=["concept_terms", "concept_relations", "protein_concepts", "labelled_aspects"],
                name="merge_concepts",
            ),
        ]
    )
