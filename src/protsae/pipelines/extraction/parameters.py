"""Parameters of the extraction pipeline."""

from protsae.activations.config import ExtractionConfig


class ExtractionParameters(ExtractionConfig):
    """The top-level key `extraction`: all of it decides what is in the shards."""
