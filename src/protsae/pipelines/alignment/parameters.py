"""Parameters of the alignment pipeline."""

from protsae.core.config import Config
from protsae.interpretation.config import BaselineConfig, ChoiceConfig, KSparseConfig


class AlignmentParameters(Config):
    """The top-level key `alignment`."""

    hook_point: str
    """Activations that the baselines read; the dictionaries know their own hook point."""
    choice: ChoiceConfig = ChoiceConfig()
    """How latents are chosen for concepts, and judged."""
    k_sparse: KSparseConfig = KSparseConfig()
    """Probes on few latents."""
    baselines: BaselineConfig = BaselineConfig()
    """Untrained dictionaries."""
