"""Splits by homology cluster: a protein's split follows from its cluster's id and a salt alone."""

import logging
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.core.files import sha256_text
from protsae.core.splits import SPLITS
from protsae.sequences.stratify import concept_shares

_HASH_DIGITS = 13  # 52 bits: exact in a double
_LOGGER = logging.getLogger(__name__)


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
    n_salts: int = Field(default=1, ge=1)
    """Salts that are tried: `salt`, `salt/1`, `salt/2` ... The one that shares out the concepts' positives
    most evenly is taken. Pin it afterwards (`salt: protsae/7`, `n_salts: 1`): from then on new proteins move
    no others."""
    min_positives_stratified: int = Field(default=10, ge=1)
    """Proteins that a concept must have to be counted in that choice."""
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


def split_table(
    protein_clusters: pd.DataFrame, protein_concepts: pd.DataFrame, config: SplitConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Deal proteins to splits by their clusters, with the most even of `n_salts` salts.

    How uneven a split is: see `stratify.ConceptShares.imbalance`. Of equally good salts the first is taken.

    Args:
        protein_clusters: `protein_id`, `cluster_id`.
        protein_concepts: `protein_id`, `concept_id` of what is known of the proteins.
        config: salts and fractions.

    Returns:
        `protein_id`, `cluster_id`, `split`, sorted by `protein_id`, and a report: the salt taken, how
        uneven it and the first one are, and counts.

    Raises:
        InputError: if every salt leaves a split empty.
    """
    cluster_ids = sorted(set(protein_clusters["cluster_id"]))
    cluster_of = protein_clusters.set_index("protein_id")["cluster_id"]
    shares = concept_shares(protein_concepts, cluster_of, cluster_ids, config.min_positives_stratified)
    fractions = np.array([getattr(config.fractions, split) for split in SPLITS])
    salts = [config.salt, *(f"{config.salt}/{number}" for number in range(1, config.n_salts))]
    dealt: dict[str, list[str]] = {}
    imbalance: dict[str, float] = {}
    for salt in salts:
        splits = [split_of_cluster(cluster, salt, config.fractions) for cluster in cluster_ids]
        numbers = np.array([SPLITS.index(split) for split in splits], dtype=np.int64)
        imbalance[salt] = shares.imbalance(numbers, fractions)
        if set(splits) == set(SPLITS):
            dealt[salt] = splits
    if not dealt:
        _refuse(splits, len(protein_clusters), len(cluster_ids))
    chosen = min(dealt, key=lambda salt: imbalance[salt])
    if config.n_salts > 1:
        _LOGGER.info("To keep this split, set splitting.split.salt: %s and n_salts: 1", chosen)
    split_of = dict(zip(cluster_ids, dealt[chosen], strict=True))
    table = protein_clusters.sort_values("protein_id", ignore_index=True)
    table["split"] = table["cluster_id"].map(split_of).astype("str")
    return table, {
        "salt": chosen,
        "n_salts_tried": len(salts),
        "n_concepts_stratified": shares.n_concepts,
        "imbalance": imbalance[chosen],
        "imbalance_of_first_salt": imbalance[config.salt],
        "n_proteins": len(table),
        "n_clusters": len(cluster_ids),
        "n_proteins_by_split": {split: int((table["split"] == split).sum()) for split in SPLITS},
        "n_clusters_by_split": {split: dealt[chosen].count(split) for split in SPLITS},
    }


def _refuse(splits: list[str], n_proteins: int, n_clusters: int) -> None:
    empty = [split for split in SPLITS if split not in splits]
    raise InputError(
        f"no protein falls into {' and '.join(empty)}: {n_clusters} clusters of {n_proteins} "
        "proteins are too few for these fractions. Give more proteins, or another splitting.split.salt"
    )
