"""Splits by homology cluster: a protein's split follows from its cluster's id and a salt alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd
from pydantic import Field, model_validator

from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.core.files import sha256_text
from protsae.core.text import numbered_lines
from protsae.sequences.table import ALIAS_SEPARATOR

SPLITS = ("train", "validation", "test")
CLUSTER_HEADER = "accession\tcluster_id"
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


def read_clusters(path: Path) -> dict[str, str]:
    """Return the cluster of each accession from a table with the header `accession<TAB>cluster_id`.

    Plain or compressed; blank lines are skipped, a row that says the same twice counts once.

    Raises:
        InputError: as `file:line: reason`, on another header, a row without two values, or two clusters of
            one accession.
    """
    clusters: dict[str, str] = {}
    lines = numbered_lines(path)
    number, header = next(lines)
    if header.strip() != CLUSTER_HEADER:
        raise InputError(f"{path}:{number}: expected the header {CLUSTER_HEADER!r}, found {header[:60]!r}")
    for number, line in lines:
        if not line.strip():
            continue
        values = [value.strip() for value in line.split("\t")]
        if len(values) != 2 or not all(values):
            raise InputError(f"{path}:{number}: expected accession<TAB>cluster_id, found {line[:60]!r}")
        accession, cluster_id = values
        if clusters.setdefault(accession, cluster_id) != cluster_id:
            raise InputError(
                f"{path}:{number}: '{accession}' is in cluster '{cluster_id}', and in a line above in "
                f"'{clusters[accession]}'. Remove one of the rows"
            )
    return clusters


def split_table(
    sequences: pd.DataFrame, clusters: Mapping[str, str], config: SplitConfig, source: Path
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Deal proteins to splits by their clusters.

    A protein takes the cluster of its id, or of its first alias that has one. A protein that the clusters do
    not name is a cluster of its own, under its own id, and counted as `n_without_cluster`.

    Args:
        sequences: distinct sequences with `protein_id` and `aliases`.
        clusters: cluster id of each accession.
        config: salt and fractions.
        source: where the clusters are from, for messages.

    Returns:
        `protein_id`, `cluster_id`, `split`, sorted by `protein_id`, and counts by name.

    Raises:
        InputError: if the clusters name none of the proteins, or a split is left empty.
    """
    pairs = zip(sequences["protein_id"].tolist(), sequences["aliases"].tolist(), strict=True)
    ids: list[list[str]] = [
        [name, *(aliases.split(ALIAS_SEPARATOR) if aliases else [])] for name, aliases in pairs
    ]
    named = [next((clusters[name] for name in names if name in clusters), None) for names in ids]
    n_without = named.count(None)
    if n_without == len(ids):
        raise InputError(
            f"{source}: none of its {len(clusters)} accessions (such as {next(iter(clusters), None)!r}) "
            f"is among the {len(ids)} proteins (such as {ids[0][0]!r}). Do the two files belong together?"
        )
    cluster_ids = [
        names[0] if cluster is None else cluster for names, cluster in zip(ids, named, strict=True)
    ]
    splits = [split_of_cluster(cluster, config.salt, config.fractions) for cluster in cluster_ids]
    table = pd.DataFrame(
        {
            "protein_id": sequences["protein_id"].astype("str"),
            "cluster_id": pd.Series(cluster_ids, dtype="str", index=sequences.index),
            "split": pd.Series(splits, dtype="str", index=sequences.index),
        }
    ).sort_values("protein_id", ignore_index=True)
    n_proteins = {split: splits.count(split) for split in SPLITS}
    if empty := [split for split in SPLITS if not n_proteins[split]]:
        raise InputError(
            f"no protein falls into {' and '.join(empty)}: {len(set(cluster_ids))} clusters of {len(ids)} "
            "proteins are too few for these fractions. Give more proteins, or another ingestion.split.salt"
        )
    named_ids = {name for names in ids for name in names}
    report = {
        "n_proteins": len(ids),
        "n_clusters": len(set(cluster_ids)),
        "n_without_cluster": n_without,
        "n_cluster_rows_unused": sum(accession not in named_ids for accession in clusters),
        "n_proteins_by_split": n_proteins,
        "n_clusters_by_split": table.groupby("split")["cluster_id"].nunique().astype(int).to_dict(),
    }
    return table, report
