"""Nodes of the pretraining pipeline."""

from typing import Any

import pandas as pd

from protsae.pretraining.config import PerplexityConfig, PretrainerConfig, ShapeConfig
from protsae.pretraining.plan import plan_pretraining


def pretrain_plm(proteins: pd.DataFrame, shape: ShapeConfig, trainer: PretrainerConfig, seed: int) -> Any:
    """Plan the training of a language model; `PretrainedPlmDataset` runs it on saving.

    Args:
        proteins: `protein_id`, `sequence`, `split`; those of test and excluded ones are left out here.
        shape: of the model.
        trainer: settings.
        seed: of weights, order, crops and masks.

    Returns:
        `pretraining.plan.PretrainingPlan`.
    """
    return plan_pretraining(proteins, shape, trainer, seed=seed)


def judge_plm(
    pretrained_plm: Any, proteins: pd.DataFrame, config: PerplexityConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measure perplexity on validation and test proteins against the floor of residue frequencies.

    Args:
        pretrained_plm: `pretraining.checkpoint.PretrainedPlm`.
        proteins: `protein_id`, `sequence`, `split`.
        config: what is masked and cropped.

    Returns:
        The training log (`step`, `split`, `term`, `value`) and the report.
    """
    from protsae.pretraining.report import pretraining_report

    return pretrained_plm.log, pretraining_report(pretrained_plm, proteins, config)
