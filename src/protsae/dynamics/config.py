"""Settings of training dynamics."""

from pydantic import Field

from protsae.core.config import Config


class OnsetConfig(Config):
    """When a bend of a curve counts as an onset."""

    min_change: float = Field(default=5.0, gt=0)
    """Least change of a curve, in standard deviations of its noise."""
    min_evidence: float = Field(default=6.0, ge=0)
    """By how much the Bayesian information criterion has to prefer a bend over a straight line; 6 is called
    strong."""
    until: float = Field(default=0.9, gt=0, lt=1)
    """Share of the whole change at which the rise counts as over: what comes later tells no onset."""
