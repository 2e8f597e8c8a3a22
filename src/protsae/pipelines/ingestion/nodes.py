"""Nodes of the ingestion pipeline: from a FASTA file and clusters to audited proteins."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.sequences.audit import AuditConfig, audit_split
from protsae.sequences.clustering import ClusterConfig, cluster_table
from protsae.sequences.split import SplitConfig, split_table
from protsae.sequences.table import SequencesConfig, sequence_table


def parse_sequences(raw_sequences: Path, config: SequencesConfig) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read the FASTA file into distinct sequences and a report of what was merged and left out."""
    return sequence_table(raw_sequences, config)


def cluster_proteins(
    sequences: pd.DataFrame, raw_clusters: Path | None, config: ClusterConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Give every protein its homology cluster: from the user's file, MMseqs2 or the built-in search."""
    return cluster_table(sequences, raw_clusters, config)


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
    sequences: pd.DataFrame, split_assignment: pd.DataFrame, config: AuditConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Search validation and test among train; exclude what has a relative there."""
    return audit_split(sequences, split_assignment, config)
