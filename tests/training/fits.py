"""Trainings of the two main architectures in one call."""

import pandas as pd

from protsae.annotations.labels import LabelTables
from protsae.sae.guidance_config import GuidanceConfig
from protsae.training.config import TrainerConfig
from protsae.training.fit import Fitted, fit
from protsae.training.task import Knowledge, SizeAndSeed, Source, TrainingTask


def fit_topk(source: Source, size: SizeAndSeed, config: TrainerConfig) -> Fitted:
    return fit(TrainingTask("topk", source, size, config))


def fit_protsae(
    source: Source,
    size: SizeAndSeed,
    config: TrainerConfig,
    guidance: GuidanceConfig,
    *,
    tables: LabelTables,
    axioms: pd.DataFrame,
) -> Fitted:
    knowledge = Knowledge(tables, axioms)
    return fit(TrainingTask("protsae", source, size, config, {"guidance": guidance}, knowledge))
