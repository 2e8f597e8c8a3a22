"""What to extract and how."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from protsae.core.config import Config
from protsae.plm.arithmetic import Arithmetic, Device
from protsae.plm.hook_points import parse_hook_point


class ExtractionConfig(Config):
    """Settings of an extraction."""

    hook_point: str
    """Where the activations are read that training and probing take, such as `layers.2.resid_post` or
    `final_norm`."""
    hook_points: tuple[str, ...] = ()
    """More hook points, stored by the same pass: one more column of the shards each."""
    max_tokens_per_batch: int = Field(16384, gt=0)
    """Token budget of a batch of the forward pass; a longer protein is a batch of its own."""
    proteins_per_shard: int = Field(128, gt=0)
    """Proteins per shard: the unit of work that survives a kill, and what is held in memory at once."""
    dtype: Literal["float16", "float32", "bfloat16"] = "float16"
    """Type in which activations are stored, however they are computed. Parquet has no bfloat16: it is
    stored as float32 whose lower half is zero, which compresses away on disk and not in memory."""
    long_sequences: Literal["window", "full", "skip", "truncate", "error"] = "window"
    """Proteins above `max_residues`: run in overlapping windows of `max_residues`, run whole, leave out, run
    the first `max_residues` alone, or stop. `window` and `full` store every residue; what the others
    leave out is counted in the manifest."""
    max_residues: int = Field(1022, gt=0)
    """Length above which a protein counts as long. ESM-2 was trained on at most 1022 residues."""
    window_overlap: int = Field(256, ge=0)
    """Residues that neighbouring windows share at least; no residue is nearer to a cut than half of it."""
    residues_per_protein: int | None = Field(None, gt=0)
    """Residues stored of each protein, drawn at random (all of a shorter one); None: all. Scores of residues
    and example windows need all."""
    sample_seed: int = Field(0, ge=0)
    """Seed of that draw; with the protein's id and length it decides all."""

    arithmetic: Arithmetic = "fair_esm"
    """How activations are computed: by fair-esm's float32 operations in its order, or `bfloat16`, whose error
    is measured and stored."""
    device: Device = "auto"
    """Where they are computed. It leaves shards already there as they are, whatever made them."""

    outlier_warning: float = Field(3.0, gt=0)
    """Warn where ||mean|| / ||std|| of a hook point is above this."""

    @property
    def captured(self) -> tuple[str, ...]:
        """All hook points, `hook_point` first, each once."""
        return tuple(dict.fromkeys((self.hook_point, *self.hook_points)))

    @model_validator(mode="after")
    def _overlap_is_less_than_a_window(self) -> "ExtractionConfig":
        if self.long_sequences == "window" and self.window_overlap >= self.max_residues:
            raise ValueError(
                f"window_overlap {self.window_overlap} leaves windows of {self.max_residues} residues no "
                "step: set it below max_residues"
            )
        return self

    @field_validator("hook_point")
    @classmethod
    def _is_a_hook_point(cls, value: str) -> str:
        return str(parse_hook_point(value))

    @field_validator("hook_points")
    @classmethod
    def _are_hook_points(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(parse_hook_point(value)) for value in values)
