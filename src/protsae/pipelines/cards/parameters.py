"""Parameters of the cards pipeline."""

from protsae.cards.config import (
    ActivityConfig,
    DenseConfig,
    DirectionsConfig,
    EffectsConfig,
    EnrichmentConfig,
    TopicsConfig,
)
from protsae.core.config import Config


class CardsParameters(Config):
    """The top-level key `cards`."""

    activity: ActivityConfig = ActivityConfig()
    """What is counted where a latent is active."""
    directions: DirectionsConfig = DirectionsConfig()
    """How directions of latents are compared and drawn."""
    effects: EffectsConfig = EffectsConfig()
    """How effects on the language model's output are measured."""
    enrichment: EnrichmentConfig = EnrichmentConfig()
    """Which concepts are tested, and what is kept."""
    topics: TopicsConfig = TopicsConfig()
    """How latents are merged to topics."""
    dense: DenseConfig = DenseConfig()
    """When a latent is dense, and in which class."""
