"""Parameters of the attribution pipeline."""

from protsae.attribution.config import RunAttributionConfig
from protsae.sequences.records import RecordsConfig


class AttributionParameters(RunAttributionConfig):
    """The top-level key `attribution`."""

    sequences: RecordsConfig = RecordsConfig()
    """How `attribution_proteins` is read where it is no table of a run."""
