"""Declaration of the pretraining pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import judge_plm, pretrain_plm


def create_pipeline() -> Pipeline:
    """Return the pretraining pipeline: proteins to a language model and its perplexity."""
    return Pipeline(
        [
            Node(
                pretrain_plm,
                inputs={
                    "proteins": "proteins",
                    "shape": "params:pretraining.shape",
                    "trainer": "params:pretraining.trainer",
                    "seed": "params:pretraining.seed",
                },
                outputs="pretrained_plm",
                name="pretrain_plm",
            ),
            Node(
                judge_plm,
                inputs=["pretrained_plm", "proteins", "params:pretraining.evaluation"],
                outputs=["pretraining_log", "pretraining_report"],
                name="judge_plm",
            ),
        ]
    )
