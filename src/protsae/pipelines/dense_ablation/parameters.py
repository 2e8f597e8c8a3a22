"""Parameters of the dense_ablation pipeline."""

from pydantic import Field

from protsae.core.config import Config
from protsae.fidelity.config import FidelityMetricsConfig, PassesConfig


class DenseAblationParameters(Config):
    """The top-level key `dense_ablation`."""

    seed: int = Field(default=0, ge=0)
    """Seed of the control subspaces."""
    passes: PassesConfig = PassesConfig()
    """How the language model is run."""
    judging: FidelityMetricsConfig = FidelityMetricsConfig()
    """How sums become metrics."""
