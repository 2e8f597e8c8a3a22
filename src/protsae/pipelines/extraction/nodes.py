"""Nodes of the extraction pipeline: from proteins to the plan of their activation shards."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.activations.plan import plan_extraction
from protsae.activations.report import extraction_report
from protsae.activations.writer import ShardsPlan
from protsae.pipelines.extraction.parameters import ExtractionParameters
from protsae.plm import load_plm


def select_sequences(proteins: pd.DataFrame) -> pd.DataFrame:
    """Keep what activations depend on, so that dealing out the splits anew extracts nothing anew.

    Args:
        proteins: columns `protein_id`, `sequence` and `split` are read.

    Returns:
        `protein_id`, `sequence`, `is_excluded` (bool: left out by the split), sorted by `protein_id`.
    """
    selected = proteins[["protein_id", "sequence"]].assign(is_excluded=proteins["split"].eq("excluded"))
    return selected.sort_values("protein_id", ignore_index=True)


def extract_activations(
    extraction_sequences: pd.DataFrame, plm_checkpoint: Path, parameters: ExtractionParameters
) -> Any:
    """Plan the shards of all proteins that are not excluded; `ActivationShardsDataset` makes them on saving.

    Returns:
        `activations.writer.ShardsPlan`.
    """
    kept = extraction_sequences[~extraction_sequences["is_excluded"]]
    plan = plan_extraction(
        kept["protein_id"].tolist(),
        kept["sequence"].tolist(),
        load_plm(plm_checkpoint),
        parameters,
        n_excluded=len(extraction_sequences) - len(kept),
    )
    return ShardsPlan(plan)


def report_extraction(activation_shards: Any, outlier_warning: float) -> dict[str, Any]:
    """Count what an `ActivationStore` holds and what was left out, and give the moments of its columns."""
    return extraction_report(activation_shards, outlier_warning)
