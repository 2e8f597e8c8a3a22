"""Parameters of the steering pipeline."""

from protsae.sequences.records import RecordsConfig
from protsae.steering.config import SteeringConfig


class SteeringParameters(SteeringConfig):
    """The top-level key `steering`."""

    sequences: RecordsConfig = RecordsConfig()
    """How the file of proteins is read."""
