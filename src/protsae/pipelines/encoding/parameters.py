"""Parameters of the encoding pipeline."""

from protsae.encoding.config import EncodingConfig


class EncodingParameters(EncodingConfig):
    """The top-level key `encoding`."""
