"""Settings of prediction."""

from typing import Annotated

from pydantic import Field

from protsae.core.config import Config, Share


class ProbesConfig(Config):
    """How well scores of variants are predicted from few of them."""

    sizes: tuple[Annotated[int, Field(ge=4)], ...] = (24, 96)
    """Numbers of training variants; all of them are always tried too."""
    n_draws: int = Field(default=5, ge=2)
    """Draws of test and training variants."""
    test_share: float = Field(default=0.2, gt=0, lt=1)
    """Variants that a draw keeps for the test."""
    alphas: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0), min_length=1
    )
    """Strengths of the ridge penalty on standardised features; one is chosen by five-fold cross-validation
    inside the training variants, with fewer folds below ten of them."""
    seed: int = Field(default=0, ge=0)
    """Of the draws."""


class VariantsConfig(Config):
    """How variants are compared with their wild type."""

    score_column: str = "DMS_score"
    """Measured score of a variant, if the table has such a column (ProteinGym's name)."""
    min_change: Share = 0.05
    """Concepts are listed whose probability changes by at least this, or crosses its threshold."""


class PredictionConfig(Config):
    """What is computed of every protein, and how much of it is kept."""

    accept_mismatch: bool = False
    """Whether a dictionary may be applied to another language model, layer or scale than it was made for; the
    output is then marked."""
    layer: str | None = None
    """Hook point that the dictionary is applied to; null: the one that it was made for."""
    proteins_per_shard: int = Field(default=128, ge=1)
    """Proteins, or variants, per shard: what is held in memory at once, and what survives an interruption."""
    residues_per_batch: int = Field(default=8192, ge=1)
    """Residues that pass through the dictionary at once, whole proteins; bounds memory, changes no result."""
    max_latents: int = Field(default=30, ge=1)
    """Latents listed of each protein, the strongest relative to their maximum on record."""
    min_strength: Share = 0.25
    """A latent counts as active in a protein from this share of its maximum on record."""
    max_track_proteins: int = Field(default=200, ge=0)
    """Up to so many proteins the residue tracks are also written as TSV."""
    max_e_value: float = Field(default=1e-3, gt=0, le=1000)
    """Training proteins count as near with at most this many alignments of their score expected by chance."""
    variants_compared: VariantsConfig = VariantsConfig()
    """Of wild type and variant."""
    probes: ProbesConfig = ProbesConfig()
    """If variants have scores."""
