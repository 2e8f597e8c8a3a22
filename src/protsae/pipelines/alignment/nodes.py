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


def collect_alignment(choice: ChoiceConfig, **parts: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """Stack what was found of all methods, and count what each finds.

    Args:
        choice: confidence of the intervals.
        parts: `alignment`, `k_sparse` and `alignment_metrics` of every dictionary and of the baselines.

    Returns:
        Pairs of concept and latent, their counts, probes on few latents, rows of the metrics table.
    """
    from protsae.alignment.summary import summarise
    from protsae.metrics.table import concat_metrics
    from protsae.pipelines.wiring import parts_of

    pairs, probes = (_stacked(parts_of(parts, part)) for part in ("alignment", "k_sparse"))
    metrics = concat_metrics(list(parts_of(parts, "alignment_metrics").values()))
    return pairs, summarise(pairs, choice.confidence), probes, metrics


def _stacked(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    found = list(tables.values())
    return pd.concat([table for table in found if len(table)] or found[:1], ignore_index=True)
