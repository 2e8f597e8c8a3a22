"""Settings of the report page."""

from pydantic import Field

from protsae.core.config import Config


class CardLimits(Config):
    """How many latents get a card, and how much is on it: they decide the weight of the page."""

    max_defined: int = Field(default=200, ge=0)
    """Cards of defined latents per dictionary at most; those with the highest F1 on validation are kept."""
    max_free: int = Field(default=8, ge=0)
    """Cards of free latents per dictionary at most; those with the highest F1 on validation are kept."""
    max_examples: int = Field(default=5, ge=0)
    """Example windows per card at most, strongest first."""


class ReportTexts(Config):
    """What only the person who chose the data and the model can say about them."""

    title: str = Field(min_length=1)
    """Title of the page."""
    notes: tuple[str, ...] = ()
    """Limits of the model and the labels, a paragraph each."""
    attribution: tuple[str, ...] = ()
    """Sources of the data and their licences, a paragraph each."""
