"""Parameters of the missing-annotations pipeline."""

from protsae.core.config import Config
from protsae.missing.config import CandidatesConfig, HidingConfig


class MissingAnnotationsParameters(Config):
    """The top-level key `missing_annotations`."""

    candidates: CandidatesConfig = CandidatesConfig()
    """Which pairs of protein and concept are listed."""
    hiding: HidingConfig = HidingConfig()
    """How labels are hidden and looked for."""
