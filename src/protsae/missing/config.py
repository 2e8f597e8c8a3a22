"""Settings of missing annotations."""

from pydantic import Field

from protsae.core.config import Config, Share
from protsae.metrics.config import ResamplingConfig


class CandidatesConfig(Config):
    """Which pairs of protein and concept are listed."""

    min_margin: Share = 0.2
    """A latent is reliable for a concept if F1 on validation exceeds that of a latent that always fires by
    this much; see `explanation.rules.min_margin`."""
    min_share_below: Share = 0.5
    """A latent fires as on annotated proteins if it exceeds its threshold, and its value on this share of the
    annotated validation proteins."""
    carried_at: Share = 0.3
    """Residues named as evidence: activation at least this share of the largest in the protein."""
    n_stretches: int = Field(default=5, ge=1)
    """Most stretches of residues that are named, those with the largest summed activation."""
    max_rows: int = Field(default=1000, ge=1)
    """Most pairs listed per dictionary, the most probable ones."""


class HidingConfig(ResamplingConfig):
    """How labels are hidden and looked for."""

    share: float = Field(default=0.1, gt=0, lt=1)
    """Share of the known positive pairs of validation and test proteins that is hidden, at least."""
    n_draws: int = Field(default=3, ge=1)
    """Times that labels are hidden anew; values are means over them."""
    n_top: int = Field(default=100, ge=1)
    """Pairs at the top of the list that are looked at."""
    parts: tuple[str, ...] = ("latent", "predictor", "probe")
    """Methods of each dictionary: the ends of their names, after the dictionary's and `_`."""
    references: tuple[str, ...] = (
        "linear_probe",
        "composition_probe",
        "nearest_neighbour",
        "shuffled_labels",
        "prevalence",
    )
    """Methods without a dictionary; `probing` says what they are."""
    max_prevalence: Share = 0.1
    """The stratum `specific` has the concepts that at most this share of the labelled training proteins
    carries."""
