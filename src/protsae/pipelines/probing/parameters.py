"""Parameters of the probing pipeline."""

from protsae.core.config import Config
from protsae.probing.config import (
    DIFFERENCES,
    EncodingConfig,
    EvaluationConfig,
    NeighbourConfig,
    Pair,
    RandomPlmConfig,
    ScoringConfig,
)


class ProbingParameters(Config):
    """The top-level key `probing`."""

    hook_point: str
    """Activations that `linear_probe` reads; the dictionaries know their own hook point."""
    encoding: EncodingConfig = EncodingConfig()
    """How activations pass through the dictionaries."""
    scoring: ScoringConfig = ScoringConfig()
    """How proteins are scored."""
    neighbours: NeighbourConfig = NeighbourConfig()
    """How the baseline by sequence looks for training proteins."""
    random_plm: RandomPlmConfig = RandomPlmConfig()
    """The model with random weights."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """How scores are judged."""
    differences: tuple[Pair, ...] = DIFFERENCES
    """Pairs of methods that are compared; `{subject}` and `{rival}` stand for the dictionaries of
    `comparison`."""
