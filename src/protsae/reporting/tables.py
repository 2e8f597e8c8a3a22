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
    protsae_statistics: pd.DataFrame
    topk_statistics: pd.DataFrame
    latents: pd.DataFrame
    latent_concepts: pd.DataFrame
    latent_examples: pd.DataFrame

    @property
    def statistics(self) -> dict[str, pd.DataFrame]:
        """Latent statistics by dictionary."""
        return {"protsae": self.protsae_statistics, "topk": self.topk_statistics}
