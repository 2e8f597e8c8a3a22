"""Settings of interpretation."""

from typing import Annotated, Literal

from pydantic import Field

from protsae.core.config import Config

HeldOut = Literal["train", "validation", "test"]


class MatchingConfig(Config):
    """How latents are matched with concepts, at the level of proteins."""

    pooling: Literal["mean", "max"] = "mean"
    """Residues to proteins. A maximum hangs on one stray residue: with `kedro run --pipelines interpretation
    --params interpretation.matching.pooling=max` the defined latents' median F1 on validation is .35 on the
    demo, with the mean .43 (`latent_summary.csv`)."""
    quantiles: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = Field(
        default=(0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), min_length=1
    )
    """Thresholds tried per latent: quantiles of its pooled activation over validation proteins, and 0."""
    n_concepts: int = Field(default=3, ge=1)
    """Best concepts kept per latent, by F1 on validation above the always-on floor there; a defined latent's
    own concept is kept whatever its rank."""


class ExampleConfig(Config):
    """Which latents get examples, and what an example shows."""

    splits: tuple[HeldOut, ...] = Field(default=("validation", "test"), min_length=1)
    """Splits that examples and residue enrichment are drawn from; held-out proteins by default."""
    n_proteins: int = Field(default=6, ge=1)
    """Top proteins per latent, by pooled activation (`matching.pooling`)."""
    n_free: int = Field(default=40, ge=0)
    """Free latents per dictionary with examples, by their best margin over the floor on validation; every
    defined one has them."""
    flank: int = Field(default=15, ge=0)
    """Residues shown on either side of the peak."""
    n_residues: int = Field(default=3, ge=1)
    """Amino acids named per latent, by enrichment."""
    residues_per_batch: int = Field(default=8192, ge=1)
    """Whole proteins are joined until they hold this many residues; changes no result."""
