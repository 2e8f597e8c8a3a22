"""Nodes of the splitting pipeline: clusters to splits, and the search for relatives across them."""

from typing import Any

import pandas as pd

from protsae.sequences.audit import AuditConfig, audit_split
from protsae.sequences.clonotypes import REARRANGED
from protsae.sequences.split import SplitConfig, split_table


def assign_splits(
    protein_clusters: pd.DataFrame,
    cluster_report: dict[str, Any],
    protein_concepts: pd.DataFrame,
    config: SplitConfig,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Deal the proteins to train, validation and test by their clusters, evenly over concepts."""
    table, report = split_table(protein_clusters, protein_concepts, config)
    return table, {"clusters": cluster_report, **report}


def audit_splits(
    sequences: pd.DataFrame,
    split_assignment: pd.DataFrame,
    cluster_report: dict[str, Any],
    clonotypes: pd.DataFrame,
    config: AuditConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Search validation and test among train, by what made the clusters; exclude relatives."""
    if cluster_report["method"] in REARRANGED:
        config = config.model_copy(update={"method": "clonotype"})
    return audit_split(sequences, split_assignment, config, clonotypes)
