"""What to extract and how."""

from typing import Literal

from pydantic import Field, field_validator

from protsae.core.config import Config
from protsae.plm.hook_points import parse_hook_point


class ExtractionConfig(Config):
    """Settings of an extraction."""

    hook_point: str
    """Where the activations are read that training and probing take, such as `layers.2.resid_post` or
    `final_norm`."""
    hook_points: tuple[str, ...] = ()
    """More hook points, stored beside in the same pass: one more column of the shards each."""
    max_tokens_per_batch: int = Field(gt=0)
    """Token budget of a batch of the forward pass; a longer protein is a batch of its own."""
    proteins_per_shard: int = Field(gt=0)
    """Proteins per shard: the unit of work that survives a kill, and what is held in memory at once."""
    dtype: Literal["float16", "float32"]
    """Type in which activations are stored. They are computed in float32."""
    long_sequences: Literal["full", "skip", "error"]
    """Proteins above `max_residues`: extract whole, skip and count, or stop."""
    max_residues: int = Field(gt=0)
    """Length above which a protein counts as long. ESM-2 was trained on at most 1022 residues."""

    outlier_warning: float = Field(3.0, gt=0)
    """Warn where ||mean|| / ||std|| of a hook point is above this."""

    @property
    def captured(self) -> tuple[str, ...]:
        """All hook points, `hook_point` first, each once."""
        return tuple(dict.fromkeys((self.hook_point, *self.hook_points)))

    @field_validator("hook_point")
    @classmethod
    def _is_a_hook_point(cls, value: str) -> str:
        return str(parse_hook_point(value))

    @field_validator("hook_points")
    @classmethod
    def _are_hook_points(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(parse_hook_point(value)) for value in values)
