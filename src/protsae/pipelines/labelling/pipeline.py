"""Declaration of the labelling pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import label_proteins, normalise_axioms, select_concepts


def create_pipeline() -> Pipeline:
    """Return the labelling pipeline: the concept vocabulary, labels of proteins and residues, and axioms."""
    return Pipeline(
        [
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
                    "params:labelling.vocabulary",
                    "params:dictionaries",
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
                inputs=["concepts", "ontology_axioms", "source_relations", "params:labelling.axioms"],
                outputs="axioms",
                name="normalise_axioms",
            ),
        ]
    )
