"""Nodes of the alignment pipeline: concepts that single latents stand for, compared with baselines."""

from typing import Any

import pandas as pd

from protsae.interpretation.config import BaselineConfig, ChoiceConfig, KSparseConfig
from protsae.pipelines.wiring import stacked, stacked_metrics

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def align_dictionary(
    residue_codes: Any,
    encoding: pd.DataFrame,
    proteins: pd.DataFrame,
    *,
    choice: ChoiceConfig,
    k_sparse: KSparseConfig,
    **labels: pd.DataFrame,
) -> Tables:
    """Align the latents of a dictionary with all concepts, by its codes (a `CodeStore`)."""
    from protsae.annotations.labels import LabelTables
    from protsae.interpretation.align import AlignmentTask
    from protsae.interpretation.methods import align_trained

    tables = LabelTables(**labels)
    task = AlignmentTask.of(proteins, tables, encoding["protein_id"], choice, k_sparse)
    return align_trained(residue_codes, encoding, task)


def align_baselines(
    activation_shards: Any,
    plm_checkpoint: Any,
    proteins: pd.DataFrame,
    *,
    hook_point: str,
    choice: ChoiceConfig,
    k_sparse: KSparseConfig,
    baselines: BaselineConfig,
    **labels: pd.DataFrame,
) -> Tables:
    """Align neurons, random directions, residue windows and residue identity with all concepts."""
    from protsae.annotations.labels import LabelTables
    from protsae.interpretation.align import AlignmentTask
    from protsae.interpretation.methods import align_untrained

    tables = LabelTables(**labels)
    task = AlignmentTask.of(proteins, tables, activation_shards.protein_ids, choice, k_sparse)
    return align_untrained(task, activation_shards, hook_point, baselines, plm_checkpoint)


def collect_alignment(choice: ChoiceConfig, **parts: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """Stack what was found of all methods, and count what each finds.

    Args:
        choice: confidence of the intervals.
        parts: `alignment`, `k_sparse` and `alignment_metrics` of every dictionary and of the baselines.

    Returns:
        Pairs of concept and latent, their counts, probes on few latents, rows of the metrics table.
    """
    from protsae.interpretation.summary import summarise

    pairs, probes = stacked(parts, "alignment"), stacked(parts, "k_sparse")
    metrics = stacked_metrics(parts, "alignment_metrics")
    return pairs, summarise(pairs, metrics, choice.confidence), probes, metrics
