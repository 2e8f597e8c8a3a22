"""Declaration of the pipeline that trains on Parquet files of any origin."""

from kedro.pipeline import Node, Pipeline

from .nodes import read_training_log, train_on_parquet


def create_pipeline() -> Pipeline:
    """Return the pipeline: a folder of Parquet files to a checkpoint and its log. It needs no other one."""
    of_training = {name: f"params:training.{name}" for name in ("d_sae", "k", "seed", "trainer")}
    return Pipeline(
        [
            Node(
                train_on_parquet,
                inputs={
                    "foreign_activations": "foreign_activations",
                    **of_training,
                    "plan": "params:parquet_training.plan",
                },
                outputs="parquet.sae_checkpoint",
                name="train_on_parquet",
            ),
            Node(
                read_training_log,
                inputs="parquet.sae_checkpoint",
                outputs="parquet.training_log",
                name="read_training_log",
            ),
        ]
    )
