"""Settings of encoding."""

from pydantic import Field

from protsae.core.config import Config
from protsae.core.splits import Split


class BatchConfig(Config):
    """How stored activations are passed through a dictionary."""

    residues_per_batch: int = Field(default=8192, ge=1)
    """Whole proteins are joined until they hold at least this many residues; bounds memory, changes no
    result."""


class EncodingConfig(BatchConfig):
    """The same, and which codes of residues are kept on disk."""

    stored_splits: tuple[Split, ...] = ("validation", "test")
    """Splits whose codes are all kept: `interpretation.examples.splits` and
    `disentanglement.monosemanticity.split` are among them."""
    train_residues: int = Field(default=20_000, ge=0)
    """Training residues whose codes are kept beyond those, whole proteins in random order until there are as
    many: at least `alignment.k_sparse.max_residues`."""
    seed: int = 0
    """Seed of that order: `alignment.k_sparse.seed`."""
