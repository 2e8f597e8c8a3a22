"""Parameters of the fidelity pipeline."""

from protsae.core.config import Config
from protsae.fidelity.config import FidelityMetricsConfig, PassesConfig, SequencesConfig


class FidelityParameters(Config):
    """The top-level key `fidelity`."""

    hook_point: str
    """Where values are ablated; that of the dictionaries, which know their own."""
    sequences: SequencesConfig = SequencesConfig()
    """What is masked and scored."""
    passes: PassesConfig = PassesConfig()
    """How the language model is run."""
    judging: FidelityMetricsConfig = FidelityMetricsConfig()
    """How sums become metrics."""
