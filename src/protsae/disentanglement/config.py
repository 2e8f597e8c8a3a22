"""Settings of the disentanglement measures."""

from typing import Literal

from pydantic import Field

from protsae.interpretation.config import PoolingConfig, ThresholdConfig
from protsae.metrics.config import ResamplingConfig


class MonosemanticityConfig(PoolingConfig):
    """How MonoSemanticity is measured (`metrics.monosemanticity`)."""

    split: Literal["train", "validation", "test"] = "test"
    """Proteins that are compared. Defined latents learnt the annotations of the training split. Codes of the
    split have to be stored: `encoding.stored_splits`."""
    flank: int = Field(default=5, ge=0)
    """Residues on either side of the one in the middle of a window."""
    residues_per_protein: int = Field(default=32, ge=1)
    """Residues drawn from each protein, without replacement: the items of the judge `windows`."""
    min_groups: int = Field(default=10, ge=3)
    """Latents active in fewer homology clusters are counted, not judged."""
    min_effective: float = Field(default=5.0, ge=1)
    """The same for the effective number of clusters: small where one has nearly all the activation."""
    false_discovery_rate: float = Field(default=0.05, gt=0, lt=1)
    """Latents pass as above chance at this rate (Benjamini-Hochberg, per dictionary and judge)."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Of the intervals."""
    embedding_model: str | None = None
    """Name of the model of `raw_judge_embeddings`, if the file's own metadata do not name it."""
    seed: int = 0
    """Draws the residues: the same ones for every dictionary."""


class AbsorptionConfig(ThresholdConfig, ResamplingConfig):
    """How absorption and splitting are measured."""

    min_carriers: int = Field(default=10, ge=1)
    """Pairs of concepts whose child fewer test proteins have are counted, not judged."""
    min_gain: float = Field(default=0.03, ge=0)
    """A concept is split over one more latent if that raises F1 on validation by more than this."""
    max_latents: int = Field(default=8, ge=1)
    """Most latents tried per concept."""
