"""Parameters of the reporting pipeline."""

from protsae.core.config import Config
from protsae.reporting.config import CardLimits, ReportTexts


class ReportingParameters(Config):
    """Everything under the top-level key `reporting`."""

    texts: ReportTexts
    """Title, notes on model and labels, and sources."""
    cards: CardLimits = CardLimits()
    """How many latents get a card."""
