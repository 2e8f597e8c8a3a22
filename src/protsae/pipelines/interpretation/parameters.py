"""Parameters of the interpretation pipeline."""

from protsae.core.config import Config
from protsae.interpretation.config import ExampleConfig, MatchingConfig


class InterpretationParameters(Config):
    """The top-level key `interpretation`."""

    matching: MatchingConfig = MatchingConfig()
    """How latents are matched with concepts."""
    examples: ExampleConfig = ExampleConfig()
    """Which latents get examples, and what an example shows."""
