"""Which trained dictionary something was measured of."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """Which trained dictionary is measured; goes into the columns of the metrics table."""

    method: str
    seed: int | None
    """Of the training; None: nothing was trained."""
    hook_point: str
    k: int | None
    """Latents per residue of a TopK dictionary; None: it has no such number."""

    @property
    def labels(self) -> dict[str, Any]:
        """The columns of the metrics table that name it."""
        return {"method": self.method, **self.settings}

    @property
    def settings(self) -> dict[str, Any]:
        """The same without its name, for methods that have another one."""
        return {"seed": self.seed, "hook_point": self.hook_point, "k": self.k}

    @classmethod
    def of(cls, checkpoint: Any) -> "Run":
        """Read a `sae.checkpoint.SaeCheckpoint`'s header."""
        return cls(
            method=checkpoint.name,
            seed=int(checkpoint.metadata["seed"]),
            hook_point=str(checkpoint.metadata["hook_point"]),
            k=checkpoint.config.get("k"),
        )
