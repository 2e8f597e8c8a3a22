"""Parameters of the splitting pipeline."""

from protsae.core.config import Config
from protsae.sequences.audit import AuditConfig
from protsae.sequences.split import SplitConfig


class SplittingParameters(Config):
    """The top-level key `splitting`."""

    split: SplitConfig = SplitConfig()
    """How homology clusters are dealt to train, validation and test."""
    audit: AuditConfig = AuditConfig()
    """How the split is searched for relatives, and what becomes of them."""
