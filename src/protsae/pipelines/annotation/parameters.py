"""Parameters of the annotation pipeline."""

from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.joining import JoinConfig
from protsae.annotations.sources import SourcesConfig
from protsae.core.config import Config
from protsae.ontology.closure import Preset


class AnnotationParameters(Config):
    """The top-level key `annotation`."""

    preset: Preset = "cafa"
    """Relations that annotations propagate along: `cafa` (is_a, part_of in an aspect) or `deepgo` (all)."""
    annotations: AnnotationsConfig = AnnotationsConfig()
    """How annotation files are read, and which rows count."""
    join: JoinConfig = JoinConfig()
    """How annotations meet the ontology and the proteins."""
    sources: SourcesConfig = SourcesConfig()
    """Concepts from other places than the ontology."""
