"""Declaration of the annotation pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import join_annotations, label_proteins, normalise_axioms, parse_ontology, select_concepts


def create_pipeline() -> Pipeline:
    """Return the annotation pipeline: ontology and annotations to concepts, labels and axioms."""
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
                    "protein_concepts",
                    "annotation_ids",
                    "annotation_accessions",
                    "annotation_report",
                ],
                name="join_annotations",
            ),
            Node(
                select_concepts,
                inputs=[
                    "protein_concepts",
                    "proteins",
                    "ontology_terms",
                    "ontology_relations",
                    "params:annotation.preset",
                    "params:annotation.vocabulary",
                ],
                outputs=["concepts", "concepts_left_out"],
                name="select_concepts",
            ),
            Node(
                label_proteins,
                inputs=["protein_concepts", "proteins", "concepts", "ontology_terms"],
                outputs="protein_labels",
                name="label_proteins",
            ),
            Node(
                normalise_axioms,
                inputs=["concepts", "ontology_axioms", "params:annotation.axioms"],
                outputs="axioms",
                name="normalise_axioms",
            ),
        ]
    )
