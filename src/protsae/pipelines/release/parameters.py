"""Parameters of the release pipeline."""

from protsae.release.config import ReleaseConfig


class ReleaseParameters(ReleaseConfig):
    """The top-level key `release`."""
