"""Settings of pretraining. No torch here."""

from typing import Literal, Self

from pydantic import Field, model_validator

from protsae.core.config import Config
from protsae.plm.batching import SPECIAL_TOKENS


class ShapeConfig(Config):
    """How large the model is. ESM-2 8M has 6 layers, width 320 and 20 heads."""

    n_layers: int = Field(4, gt=0)
    """Transformer layers."""
    d_model: int = Field(160, gt=0)
    """Width of the residual stream."""
    n_heads: int = Field(8, gt=0)
    """Attention heads."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.d_model % (2 * self.n_heads):
            raise ValueError(
                f"d_model {self.d_model} over n_heads {self.n_heads} is no even whole number, "
                "and rotary positions need pairs: change one of them"
            )
        return self


class MaskConfig(Config):
    """Which residues the model has to guess, and what it sees in their place: the rest is left as it is."""

    mask_probability: float = Field(0.15, gt=0, lt=1)
    """Share of the residues that are guessed."""
    max_mask_probability: float | None = Field(None, gt=0, le=1)
    """Where given, every protein of every batch draws its share evenly between `mask_probability` and this. A
    model that only saw 15 % masked cannot write a whole region anew; one that saw up to 100 % can."""
    mask_share: float = Field(0.8, ge=0, le=1)
    """Share of these that become the mask token."""
    random_share: float = Field(0.1, ge=0, le=1)
    """Share of these that become one of the twenty amino acids, whichever."""

    @model_validator(mode="after")
    def _range_in_order(self) -> Self:
        highest = self.max_mask_probability
        if highest is not None and highest < self.mask_probability:
            raise ValueError(
                f"max_mask_probability {highest} is below mask_probability {self.mask_probability}: "
                "exchange them"
            )
        return self

    @model_validator(mode="after")
    def _shares_within_one(self) -> Self:
        if self.mask_share + self.random_share > 1 + 1e-9:
            raise ValueError(f"mask_share {self.mask_share} and random_share {self.random_share} exceed 1")
        return self


class PretrainerConfig(Config):
    """How the model is trained."""

    steps: int = Field(4000, gt=0)
    """Optimiser steps."""
    tokens_per_batch: int = Field(8192, gt=0)
    """Tokens per step, start and end tokens included."""
    max_residues: int = Field(254, gt=0)
    """Longer proteins are cropped to this many residues, each time at another place."""
    learning_rate: float = Field(3e-3, gt=0)
    """Peak rate of AdamW (betas .9 and .98)."""
    warmup_share: float = Field(0.05, ge=0, lt=1)
    """Share of the steps over which the rate rises from zero; from there it falls linearly to zero."""
    weight_decay: float = Field(0.01, ge=0)
    """Decoupled decay of matrices; biases and norms are left alone."""
    clip_norm: float = Field(1.0, gt=0)
    """Bound on the norm of the whole gradient."""
    masking: MaskConfig = MaskConfig()
    """Which residues are guessed."""
    validate_every: int = Field(250, gt=0)
    """Steps between looks at the validation proteins; the best of these models is kept."""
    validation_proteins: int = Field(256, gt=0)
    """Validation proteins of such a look, drawn once."""
    save_every: int = Field(100, gt=0)
    """Steps between states saved on disk: what `kill -9` costs at most."""
    threads: int = Field(1, gt=0)
    """Threads of torch on a CPU. A setting, because the last bits of the weights depend on it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU where there is one."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the matrix products; weights and optimiser stay in float32."""
    stored_dtype: Literal["float16", "float32"] = "float16"
    """Type of the weights in the file."""

    @model_validator(mode="after")
    def _a_crop_fits_a_batch(self) -> Self:
        if self.max_residues + SPECIAL_TOKENS > self.tokens_per_batch:
            raise ValueError(
                f"tokens_per_batch {self.tokens_per_batch} does not hold a protein of max_residues "
                f"{self.max_residues} and its two special tokens: raise it or lower max_residues"
            )
        return self


class PerplexityConfig(Config):
    """How a model is judged: every chosen residue becomes the mask token."""

    seed: int = Field(0, ge=0)
    """Of the choice of proteins, residues and crops."""
    mask_probability: float = Field(0.15, gt=0, lt=1)
    """Share of each protein's residues that are guessed, at least one."""
    max_residues: int = Field(1022, gt=0)
    """Longer proteins are cropped to this many residues, and counted."""
    max_proteins: int = Field(2000, gt=0)
    """Proteins per split, drawn at random where there are more."""
    tokens_per_batch: int = Field(8192, gt=0)
    """Token budget of a batch."""
    length_bands: tuple[int, ...] = (128, 256, 512)
    """Upper ends of the bands of length; one more band holds what is longer."""
