"""Parameters of the pipeline that trains on Parquet files of any origin."""

from typing import Any

from pydantic import Field

from protsae.core.config import Config
from protsae.sequences.split import SplitConfig


class ParquetTrainingConfig(Config):
    """What is trained; size, seed and trainer are those of `training`."""

    architecture: str = "topk"
    """Name in the registry; guided ones need the column `labels`."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Fields of the architecture's config that differ from their defaults."""
    min_proteins: int = Field(10, gt=0)
    """Training proteins that a label needs to become a concept."""
    split: SplitConfig = SplitConfig()
    """How proteins are dealt to splits by their ids, where the files have no column `split`."""


class ParquetTrainingParameters(Config):
    """The top-level key `parquet_training`."""

    plan: ParquetTrainingConfig = ParquetTrainingConfig()
    """What is trained."""
