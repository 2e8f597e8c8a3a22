"""Which trained dictionary something was measured of."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """Which trained dictionary is measured; goes into the columns of the metrics table."""

    method: str
    seed: int
    hook_point: str
    k: int | None
    """Latents per residue of a TopK dictionary; None: it has no such number."""

    @classmethod
    def of(cls, checkpoint: Any) -> "Run":
        """Read a `sae.checkpoint.SaeCheckpoint`'s header."""
        return cls(
            method=checkpoint.name,
            seed=int(checkpoint.metadata["seed"]),
            hook_point=str(checkpoint.metadata["hook_point"]),
            k=checkpoint.config.get("k"),
        )
