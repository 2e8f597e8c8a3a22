"""Nodes of the alignment pipeline: concepts that single latents stand for, beside what knows nothing."""

from typing import Any

import pandas as pd

from protsae.alignment.config import BaselineConfig, ChoiceConfig, KSparseConfig

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def align_dictionary(
    activation_shards: Any,
    sae_checkpoint: Any,
    encoding: pd.DataFrame,
    *,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    residue_labels: pd.DataFrame,
    choice: ChoiceConfig,
    k_sparse: KSparseConfig,
) -> Tables:
    """Align the latents of a dictionary (a `SaeCheckpoint`) with all concepts, on stored activations."""
    from protsae.alignment.methods import align_trained, bench_of
    from protsae.annotations.labels import LabelTables

    tables = LabelTables(concepts, protein_labels, labelled_aspects, residue_labels)
    bench = bench_of(proteins, tables, activation_shards, choice, k_sparse)
    return align_trained(sae_checkpoint, activation_shards, encoding, bench)


def align_baselines(
    activation_shards: Any,
    plm_checkpoint: Any,
    *,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    residue_labels: pd.DataFrame,
    hook_point: str,
    choice: ChoiceConfig,
    k_sparse: KSparseConfig,
    baselines: BaselineConfig,
) -> Tables:
    """Align neurons, random directions, residue windows and residue identity with all concepts."""
    from protsae.alignment.methods import align_untrained, bench_of
    from protsae.annotations.labels import LabelTables

    tables = LabelTables(concepts, protein_labels, labelled_aspects, residue_labels)
    bench = bench_of(proteins, tables, activation_shards, choice, k_sparse)
    return align_untrained(bench, activation_shards, hook_point, baselines, plm_checkpoint)


def collect_alignment(
    protsae_alignment: pd.DataFrame,
    topk_alignment: pd.DataFrame,
    baseline_alignment: pd.DataFrame,
    choice: ChoiceConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Stack the pairs of all methods, and count what each finds."""
    from protsae.alignment.summary import summarise

    tables = [protsae_alignment, topk_alignment, baseline_alignment]
    together = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
    return together, summarise(together, choice.confidence)


def collect_k_sparse(
    protsae_k_sparse: pd.DataFrame, topk_k_sparse: pd.DataFrame, baseline_k_sparse: pd.DataFrame
) -> pd.DataFrame:
    """Stack the probes of all methods."""
    tables = [protsae_k_sparse, topk_k_sparse, baseline_k_sparse]
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def collect_alignment_metrics(
    protsae_metrics: pd.DataFrame, topk_metrics: pd.DataFrame, baseline_metrics: pd.DataFrame
) -> pd.DataFrame:
    """Stack the rows of the metrics table."""
    from protsae.metrics.table import concat_metrics

    return concat_metrics([protsae_metrics, topk_metrics, baseline_metrics])
