"""Parameters of the disentanglement pipeline."""

from protsae.core.config import Config
from protsae.disentanglement.config import AbsorptionConfig, MonosemanticityConfig


class DisentanglementParameters(Config):
    """The top-level key `disentanglement`."""

    hook_point: str
    """Activations whose dimensions are scored beside the latents; the dictionaries know their own."""
    monosemanticity: MonosemanticityConfig = MonosemanticityConfig()
    """How MonoSemanticity is measured."""
    absorption: AbsorptionConfig = AbsorptionConfig()
    """How absorption and splitting are measured."""
