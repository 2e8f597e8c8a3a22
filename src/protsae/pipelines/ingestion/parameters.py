"""Parameters of the ingestion pipeline."""

from protsae.core.config import Config
from protsae.sequences.clustering import ClusterConfig
from protsae.sequences.table import SequenceTableConfig


class IngestionParameters(Config):
    """The top-level key `ingestion`."""

    sequences: SequenceTableConfig = SequenceTableConfig()
    """How FASTA is read and which sequences are kept."""
    clusters: ClusterConfig = ClusterConfig()
    """Where homology clusters come from."""
