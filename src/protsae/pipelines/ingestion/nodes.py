"""Nodes of the ingestion pipeline: what the sequence and cluster files say."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.sequences.clonotypes import read_clonotypes
from protsae.sequences.clustering import ClusterConfig, cluster_table
from protsae.sequences.table import SequenceTableConfig, read_held_back, sequence_table


def parse_sequences(
    raw_sequences: Path, raw_held_back: Path | None, config: SequenceTableConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read the FASTA file into distinct sequences and a report of what was merged and left out."""
    held_back = read_held_back(raw_held_back) if raw_held_back else ()
    return sequence_table(raw_sequences, config, held_back)


def find_clonotypes(sequences: pd.DataFrame, raw_rearrangements: Path | None) -> pd.DataFrame:
    """Read V gene, J gene and CDR3 of antibodies and T-cell receptors; no rows if they are not given."""
    return read_clonotypes(raw_rearrangements, sequences)


def cluster_proteins(
    sequences: pd.DataFrame, raw_clusters: Path | None, clonotypes: pd.DataFrame, config: ClusterConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Give every protein its cluster: from the user's file, by search or by rearrangement."""
    return cluster_table(sequences, raw_clusters, config, clonotypes)
