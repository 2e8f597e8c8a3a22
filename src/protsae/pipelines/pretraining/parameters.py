"""Parameters of the pretraining pipeline."""

from pydantic import Field

from protsae.core.config import Config
from protsae.pretraining.config import PerplexityConfig, PretrainerConfig, ShapeConfig


class PretrainingParameters(Config):
    """The top-level key `pretraining`."""

    seed: int = Field(ge=0)
    """Seed of weights, order of the proteins, crops and masks."""
    shape: ShapeConfig = ShapeConfig()
    """How large the model is."""
    trainer: PretrainerConfig = PretrainerConfig()
    """How it is trained."""
    evaluation: PerplexityConfig = PerplexityConfig()
    """How it is judged afterwards."""
