"""Settings of fidelity."""

from typing import Literal, Self

from pydantic import Field, model_validator

from protsae.core.config import Config
from protsae.metrics.config import ResamplingConfig


class SequencesConfig(Config):
    """Which sequences are masked and scored."""

    mask_probability: float = Field(default=0.15, gt=0, lt=1)
    """Share of each sequence's amino acids that the model has to guess."""
    seed: int = Field(default=0, ge=0)
    """Seed of the masks and of what is sampled. A sequence's masks depend on nothing but this and itself."""
    max_proteins: int | None = Field(default=500, gt=0)
    """Test proteins that are spliced, drawn at random where there are more; None: all. Reconstruction is
    always measured on all."""
    max_residues: int = Field(default=1022, gt=0)
    """The longest stretch that the model saw at once when activations were extracted."""
    n_long: int = Field(default=8, ge=0)
    """Sequences longer than any that the dictionaries were trained on: test proteins that are, and where
    there are fewer, test proteins joined end to end."""
    max_whole_residues: int = Field(default=4096, gt=0)
    """Of these, the longest that are run; the memory of attention grows with the square of the length."""


class PassesConfig(Config):
    """How sequences are run through the language model."""

    max_residues: int = Field(default=1022, gt=0)
    """Proteins above this are run in overlapping windows of this size, as in extraction."""
    window_overlap: int = Field(default=256, ge=0)
    """Residues that neighbouring windows share at least."""
    tokens_per_batch: int = Field(default=2048, gt=0)
    """Token budget of a batch; a longer sequence is a batch of its own. Changes results by rounding alone."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; `auto`: a GPU if torch sees one."""

    @model_validator(mode="after")
    def _overlap_is_less_than_a_window(self) -> Self:
        if self.window_overlap >= self.max_residues:
            raise ValueError(
                f"window_overlap {self.window_overlap} leaves windows of {self.max_residues} residues no "
                "step: set it below max_residues"
            )
        return self


class FidelityMetricsConfig(ResamplingConfig):
    """How sums are turned into metrics."""

    length_bands: tuple[int, ...] = (128, 256, 512)
    """Upper ends of the bands of protein length, ascending; one more band lies above the last."""
    dense_above: float = Field(default=0.1, gt=0, lt=1)
    """Share of residues above which a latent counts as dense."""

    @model_validator(mode="after")
    def _bands_ascend(self) -> Self:
        if list(self.length_bands) != sorted({*self.length_bands}) or min(self.length_bands, default=1) < 1:
            raise ValueError(f"length_bands {list(self.length_bands)} have to be positive and ascending")
        return self
