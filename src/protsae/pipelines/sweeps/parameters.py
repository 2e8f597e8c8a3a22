"""Parameters of the sweeps pipeline."""

from protsae.core.config import Config
from protsae.sweeps.config import JudgingConfig, SweepConfig


class SweepsParameters(Config):
    """The top-level key `sweeps`."""

    sweep: SweepConfig
    """What is trained."""
    judging: JudgingConfig = JudgingConfig()
    """How it is judged."""
