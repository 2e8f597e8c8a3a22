"""Parameters of the explorer pipeline."""

from protsae.explorer.config import ExplorerConfig


class ExplorerParameters(ExplorerConfig):
    """The top-level key `explorer`."""
