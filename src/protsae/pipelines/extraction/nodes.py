"""Nodes of the extraction pipeline: from proteins to the plan of their activation shards."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.activations.plan import plan_extraction
from protsae.activations.report import extraction_report
from protsae.core.splits import EXCLUDED
from protsae.pipelines.extraction.parameters import ExtractionParameters
from protsae.plm import load_plm
from protsae.training.config import ParquetConfig


def select_sequences(proteins: pd.DataFrame) -> pd.DataFrame:
    """Keep what activations depend on, so that dealing out the splits anew extracts nothing anew.

    Args:
        proteins: columns `protein_id`, `sequence` and `split` are read.

    Returns:
        `protein_id`, `sequence`, `is_excluded` (bool: left out by the split), sorted by `protein_id`.
    """
    selected = proteins[["protein_id", "sequence"]].assign(is_excluded=proteins["split"].eq(EXCLUDED))
    return selected.sort_values("protein_id", ignore_index=True)


def extract_activations(
    extraction_sequences: pd.DataFrame, plm_checkpoint: Path, parameters: ExtractionParameters
) -> Any:
    """Plan the shards of all proteins that are not excluded; `ActivationShardsDataset` makes them on saving.

    Returns:
        `activations.plan.ExtractionPlan`.
    """
    kept = extraction_sequences[~extraction_sequences["is_excluded"]]
    return plan_extraction(
        kept["protein_id"].tolist(),
        kept["sequence"].tolist(),
        load_plm(plm_checkpoint),
        parameters,
        n_excluded=len(extraction_sequences) - len(kept),
    )


def report_extraction(activation_shards: Any, outlier_warning: float) -> dict[str, Any]:
    """Count what an `ActivationStore` holds and what was left out, and give the moments of its columns."""
    return extraction_report(activation_shards, outlier_warning)


def pool_activations(activation_shards: Any, proteins: pd.DataFrame, hook_point: str) -> pd.DataFrame:
    """Average the activations (an `ActivationStore`) of every protein over its residues."""
    from protsae.encoding.reading import mean_activations
    from protsae.probing.splits import split_of_proteins

    split_of = split_of_proteins(proteins, activation_shards.protein_ids)
    return mean_activations(activation_shards, hook_point, list(split_of))


def read_tables_of_files(activation_shards: Any, config: ParquetConfig) -> tuple[pd.DataFrame, ...]:
    """Read what Parquet files of any origin (`activations.parquet.ParquetStore`) say of their proteins.

    Returns:
        proteins, concepts, protein_labels, labelled_aspects, residue_labels, axioms.
    """
    from protsae.training.parquet import read_parquet_tables

    proteins, (tables, axioms) = read_parquet_tables(activation_shards, config)
    return (
        *(proteins, tables.concepts, tables.protein_labels, tables.labelled_aspects),
        *(tables.residue_labels, axioms),
    )
