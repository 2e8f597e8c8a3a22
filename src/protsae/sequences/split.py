"""Splits by homology cluster: a protein's split follows from its cluster's id and a salt, from nothing else."""

from typing import Self

from pydantic import Field, model_validator

from protsae.core.config import Config
from protsae.core.files import sha256_text

SPLITS = ("train", "validation", "test")
_HASH_DIGITS = 13  # 52 bits: exact in a double


class SplitFractions(Config):
    """Expected shares of the clusters (not of the proteins: a cluster is never torn apart)."""

    train: float = Field(default=0.6, gt=0, lt=1)
    """Share of clusters to train on."""
    validation: float = Field(default=0.2, gt=0, lt=1)
    """Share of clusters to select on."""
    test: float = Field(default=0.2, gt=0, lt=1)
    """Share of clusters to report on."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the fractions train, validation and test must sum to 1, not to {total:g}")
        return self


class SplitConfig(Config):
    """How clusters are dealt to the splits."""

    salt: str = "protsae"
    """Another salt is another split."""
    fractions: SplitFractions = SplitFractions()
    """Expected shares of the clusters."""


def split_of_cluster(cluster_id: str, salt: str, fractions: SplitFractions) -> str:
    """Return the split of a homology cluster: `train`, `validation` or `test`.

    `u = SHA-256(salt, cluster_id) / 2**256` (to 52 bits) is compared with the cumulative fractions. No other
    cluster has a say, so that adding proteins moves no others.
    """
    u = int(sha256_text(salt, cluster_id)[:_HASH_DIGITS], 16) / 16**_HASH_DIGITS
    if u < fractions.train:
        return "train"
    return "validation" if u < fractions.train + fractions.validation else "test"
