"""Parameters of the ingestion pipeline."""

from protsae.core.config import Config
from protsae.sequences.audit import AuditConfig
from protsae.sequences.clustering import ClusterConfig
from protsae.sequences.split import SplitConfig
from protsae.sequences.table import SequencesConfig


class IngestionParameters(Config):
    """The top-level key `ingestion`."""

    sequences: SequencesConfig = SequencesConfig()
    """How FASTA is read and which sequences are kept."""
    clusters: ClusterConfig = ClusterConfig()
    """Where homology clusters come from."""
    split: SplitConfig = SplitConfig()
    """How homology clusters are dealt to train, validation and test."""
    audit: AuditConfig = AuditConfig()
    """How the split is searched for relatives, and what becomes of them."""
