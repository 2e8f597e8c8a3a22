"""Settings of concept alignment."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from protsae.core.config import Config
from protsae.metrics.association import THRESHOLDS

Share = Annotated[float, Field(ge=0, lt=1)]


class ChoiceConfig(Config):
    """How latents are chosen for concepts, on validation, and judged, on test."""

    n_latents: int = Field(default=10, ge=1)
    """Latents kept per concept, by F1 on validation."""
    thresholds: tuple[Share, ...] = Field(default=THRESHOLDS, min_length=1)
    """Tried for residues: shares of a latent's largest activation on validation. InterPLM's."""
    pooling: Literal["mean", "max"] = "mean"
    """From residues to proteins, for concepts of whole proteins; for all methods alike."""
    quantiles: tuple[Share, ...] = Field(default=(0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), min_length=1)
    """Thresholds tried for proteins: quantiles of a latent's pooled activation over validation, and 0."""
    found_f1: float = Field(default=0.5, ge=0, le=1)
    """What F1 on test has to exceed for a concept to count as found, beside both baselines."""
    n_resamples: int = Field(default=200, ge=2)
    """Bootstrap resamples of homology clusters behind every interval."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Share of the resamples inside an interval; 1 minus it is the false-discovery rate of `n_found_bh`."""
    seed: int = 0
    """Seed of the resamples."""
    residues_per_batch: int = Field(default=4096, ge=1)
    """Whole proteins are joined until they hold at least this many residues; bounds memory, changes no
    result."""

    @model_validator(mode="after")
    def _ascending(self) -> "ChoiceConfig":
        if sorted(set(self.thresholds)) != list(self.thresholds):
            raise ValueError(f"thresholds have to ascend: {list(self.thresholds)}")
        return self


class KSparseConfig(Config):
    """Logistic regressions on the few latents that tell a concept best, on training data."""

    sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 2, 5, 20), min_length=1)
    """Numbers of latents."""
    l2: float = Field(default=0.01, gt=0)
    """Strength of the penalty: mean log loss + l2 / 2 x ||weights||^2 on standardised latents."""
    max_residues: int = Field(default=20_000, ge=1)
    """Residues of each split, for concepts of residues: whole proteins in random order until there are as
    many. Counted in the tables."""
    seed: int = 0
    """Seed of that order."""


class BaselineConfig(Config):
    """Dictionaries that know nothing, beside the trained ones."""

    n_directions: int = Field(default=1024, ge=1)
    """Random unit vectors as an encoder, applied to centred activations."""
    k: int = Field(default=16, ge=1)
    """The largest positive projections of a residue that stay, as in TopK."""
    flank: int = Field(default=4, ge=0)
    """Residues to either side in the one-hot windows."""
    random_plm: bool = False
    """Also the neurons of a language model of the same shape with random weights, and a TopK dictionary of
    `n_directions` latents trained on them: it costs an extraction into a temporary folder, and a training."""
    epochs: int = Field(default=40, ge=1)
    """Passes of that training over the training proteins."""
    seed: int = 0
    """Seed of directions and weights."""

    @model_validator(mode="after")
    def _fits(self) -> "BaselineConfig":
        if self.k > self.n_directions:
            raise ValueError(f"k {self.k} exceeds n_directions {self.n_directions}")
        return self
