"""Declaration of the steering pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import judge_structures, steer_proteins, tabulate_designs


def create_pipeline() -> Pipeline:
    """Return the steering pipeline: proteins and a finished dictionary to designs. It reads files of a
    finished run, and has no ancestors."""
    return Pipeline(
        [
            Node(
                steer_proteins,
                inputs=[
                    *("raw_steering_sequences", "steering_dictionary", "steering_latents"),
                    *("steering_relations", "plm_checkpoint", "steering_judge", "params:steering"),
                ],
                outputs="steering_designs",
                name="steer_proteins",
            ),
            Node(
                tabulate_designs,
                inputs=[
                    *("steering_designs", "steering_proteins", "steering_concepts", "steering_labels"),
                    *("steering_labelled", "steering_relations"),
                ],
                outputs="steering_table",
                name="tabulate_designs",
            ),
            Node(
                judge_structures,
                inputs=["steering_designs", "steering_structures", "params:steering"],
                outputs="steering_structure_table",
                name="judge_structures",
            ),
        ]
    )
