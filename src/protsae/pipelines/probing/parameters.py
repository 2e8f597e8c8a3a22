"""Parameters of the probing pipeline."""

from protsae.core.config import Config
from protsae.probing.config import ComparisonConfig, EncodingConfig, ScoringConfig


class ProbingParameters(Config):
    """The top-level key `probing`."""

    hook_point: str
    """Activations that `linear_probe` reads; the dictionaries know their own hook point."""
    encoding: EncodingConfig = EncodingConfig()
    """How activations pass through the dictionaries."""
    scoring: ScoringConfig = ScoringConfig()
    """How proteins are scored."""
    evaluation: ComparisonConfig = ComparisonConfig()
    """How scores are judged."""
