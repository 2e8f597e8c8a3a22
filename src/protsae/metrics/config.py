"""Settings that several measures share."""

from pydantic import Field

from protsae.core.config import Config


class ResamplingConfig(Config):
    """Bootstrap intervals over homology clusters."""

    n_resamples: int = Field(default=200, ge=2)
    """Bootstrap resamples of homology clusters for every interval."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Share of the resamples inside an interval."""
    seed: int = Field(default=0, ge=0)
    """Seed of the resamples."""
