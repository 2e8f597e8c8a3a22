"""Parameters of the disentanglement pipeline."""

from protsae.core.config import Config
from protsae.disentanglement.config import AbsorptionConfig, MonosemanticityConfig


class DisentanglementParameters(Config):
    """The top-level key `disentanglement`."""

    hook_point: str
    """Activations whose dimensions are scored for comparison with latents; dictionaries have their own."""
    monosemanticity: MonosemanticityConfig = MonosemanticityConfig()
    """How MonoSemanticity is measured."""
    absorption: AbsorptionConfig = AbsorptionConfig()
    """How absorption and splitting are measured."""
