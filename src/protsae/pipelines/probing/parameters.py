"""Parameters of the probing pipeline."""

from protsae.core.config import Config
from protsae.probing.config import (
    DIFFERENCES,
    EvaluationConfig,
    GatedProbeConfig,
    NeighbourConfig,
    Pair,
    RandomPlmConfig,
    ScoringConfig,
)


class ProbingParameters(Config):
    """The top-level key `probing`."""

    hook_point: str
    """Activations that `linear_probe` reads; the dictionaries know their own hook point."""
    scoring: ScoringConfig = ScoringConfig()
    """How proteins are scored."""
    gated_probe: GatedProbeConfig = GatedProbeConfig()
    """The control without an autoencoder."""
    neighbours: NeighbourConfig = NeighbourConfig()
    """How the baseline by sequence looks for training proteins."""
    random_plm: RandomPlmConfig = RandomPlmConfig()
    """The model with random weights."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """How scores are judged."""
    differences: tuple[Pair, ...] = DIFFERENCES
    """Pairs of methods that are compared; `{subject}` and `{rival}` stand for the dictionaries of
    `comparison`."""
