"""Declaration of the prediction pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import plan_prediction


def create_pipeline() -> Pipeline:
    """Return the prediction pipeline: any proteins and a release to what is in the proteins. It has no
    ancestors."""
    return Pipeline(
        [
            Node(
                plan_prediction,
                inputs={
                    "prediction_proteins": "prediction_proteins",
                    "prediction_variants": "prediction_variants",
                    "prediction_release": "prediction_release",
                    "parameters": "params:prediction",
                    "comparison": "params:comparison",
                },
                outputs="prediction",
                name="plan_prediction",
            )
        ]
    )
