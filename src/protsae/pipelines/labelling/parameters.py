"""Parameters of the labelling pipeline."""

from protsae.annotations.concepts import VocabularyConfig
from protsae.core.config import Config
from protsae.ontology.concept_axioms import AxiomConfig


class LabellingParameters(Config):
    """The top-level key `labelling`."""

    vocabulary: VocabularyConfig = VocabularyConfig()
    """Which terms become concepts."""
    axioms: AxiomConfig = AxiomConfig()
    """Which axioms tie the concepts together."""
