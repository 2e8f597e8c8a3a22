"""Nodes of the ingestion pipeline: from a FASTA file and clusters to audited proteins."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.sequences.audit import AuditConfig, audit_split
from protsae.sequences.split import SplitConfig, read_clusters, split_table
from protsae.sequences.table import SequencesConfig, sequence_table


def parse_sequences(raw_sequences: Path, config: SequencesConfig) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read the FASTA file into distinct sequences and a report of what was merged and left out."""
    return sequence_table(raw_sequences, config)


def assign_splits(
    sequences: pd.DataFrame, raw_clusters: Path, config: SplitConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Deal the proteins to train, validation and test by their homology clusters."""
    return split_table(sequences, read_clusters(raw_clusters), config, raw_clusters)


def audit_splits(
    sequences: pd.DataFrame, split_assignment: pd.DataFrame, config: AuditConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Search validation and test among train; exclude what has a relative there."""
    return audit_split(sequences, split_assignment, config)
