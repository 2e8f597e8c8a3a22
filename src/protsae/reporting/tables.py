"""What the report is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class ReportTables:
    """The tables of a run, in the columns of docs/architecture.md."""

    proteins: pd.DataFrame
    split_audit: pd.DataFrame
    sequence_report: Mapping[str, Any]
    annotation_report: Mapping[str, Any]
    annotation_ids: pd.DataFrame
    concepts: pd.DataFrame
    concepts_left_out: pd.DataFrame
    metrics: pd.DataFrame
    concept_metrics: pd.DataFrame
    residue_concept_metrics: pd.DataFrame
    method_differences: pd.DataFrame
    statistics: Mapping[str, pd.DataFrame]
    """Latent statistics by dictionary."""
    latents: pd.DataFrame
    latent_concepts: pd.DataFrame
    latent_examples: pd.DataFrame
    alignment_summary: pd.DataFrame
