"""Parameters of the dynamics pipeline."""

from protsae.core.config import Config
from protsae.dynamics.config import OnsetConfig


class DynamicsParameters(Config):
    """The top-level key `dynamics`."""

    onsets: OnsetConfig = OnsetConfig()
    """When a bend of a curve counts as an onset."""
