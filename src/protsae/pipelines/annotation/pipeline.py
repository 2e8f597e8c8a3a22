"""Declaration of the annotation pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    gather_concepts,
    join_annotations,
    label_proteins,
    merge_concepts,
    normalise_axioms,
    parse_ontology,
    select_concepts,
)


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
            Node(
                select_concepts,
                inputs=[
                    "protein_concepts",
                    "residue_concepts",
                    "labelled_aspects",
                    "concept_terms",
                    "concept_relations",
                    "proteins",
                    "params:annotation.preset",
                    "params:annotation.vocabulary",
                ],
                outputs=["concepts", "concepts_left_out"],
                name="select_concepts",
            ),
            Node(
                label_proteins,
                inputs=["protein_concepts", "residue_concepts", "concepts"],
                outputs=["protein_labels", "residue_labels"],
                name="label_proteins",
            ),
            Node(
                normalise_axioms,
                inputs=["concepts", "ontology_axioms", "source_relations", "params:annotation.axioms"],
                outputs="axioms",
                name="normalise_axioms",
            ),
        ]
    )
