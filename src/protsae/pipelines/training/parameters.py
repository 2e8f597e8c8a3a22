"""Parameters of the training pipeline."""

from typing import Literal

from pydantic import Field, model_validator

from protsae.core.config import Config
from protsae.sae.guidance_config import GuidanceConfig
from protsae.training.config import ParquetConfig, TrainerConfig


class TrainingParameters(Config):
    """The top-level key `training`."""

    hook_point: str
    """Activations that the dictionaries are trained on; one of those of `extraction`."""
    seed: int = Field(ge=0)
    """Seed of weights and of samples."""
    source: Literal["extraction", "parquet"] = "extraction"
    """Where activations come from; `parquet`: files of any origin, in the environment `parquet`."""
    manifest: str | None = None
    """Folder of Parquet files of any origin, for the source `parquet`; from `--params` alone."""
    parquet: ParquetConfig = ParquetConfig()
    """How these are read."""
    d_sae: int = Field(1024, gt=0)
    """Number of latents of each dictionary."""
    k: int = Field(16, gt=0)
    """Latents per token (of a guided dictionary: among the free ones)."""
    trainer: TrainerConfig = TrainerConfig()
    """The trainer, the same for all."""
    guidance: GuidanceConfig = GuidanceConfig()
    """How the ontology guides dictionaries that know concepts."""

    @model_validator(mode="after")
    def _k_within_dictionary(self) -> "TrainingParameters":
        if self.k > self.d_sae:
            raise ValueError(f"k {self.k} is larger than d_sae {self.d_sae}: lower k or raise d_sae")
        return self
