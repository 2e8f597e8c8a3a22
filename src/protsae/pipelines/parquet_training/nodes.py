"""Nodes of the pipeline that trains on Parquet files of any origin."""

from typing import Any

import pandas as pd

from protsae.pipelines.parquet_training.parameters import ParquetTrainingConfig
from protsae.training.config import TrainerConfig


def train_on_parquet(
    foreign_activations: Any,
    *,
    d_sae: int,
    k: int,
    seed: int,
    trainer: TrainerConfig,
    plan: ParquetTrainingConfig,
) -> Any:
    """Plan a training (`training.plan.TrainingPlan`) on files (`activations.parquet.ParquetStore`)."""
    from protsae.training.parquet import plan_on_parquet
    from protsae.training.plan import Size

    return plan_on_parquet(
        foreign_activations,
        plan.architecture,
        Size(d_sae, k, seed),
        trainer,
        plan.settings,
        min_proteins=plan.min_proteins,
        split=plan.split,
    )


def read_training_log(sae_checkpoint: Any) -> pd.DataFrame:
    """Return the training log that a checkpoint (a `SaeCheckpoint`) carries."""
    from protsae.training.plan import log_of

    return log_of(sae_checkpoint)
