"""Nodes of the sweeps pipeline."""

from typing import Any

import pandas as pd

from protsae.probing.config import ComparisonConfig
from protsae.sae.guidance_config import GuidanceConfig
from protsae.sweeps.config import ABLATED, JudgingConfig, SweepConfig
from protsae.training.config import TrainerConfig


def plan_sweep(
    activation_shards: Any,
    proteins: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    residue_labels: pd.DataFrame,
    concepts: pd.DataFrame,
    axioms: pd.DataFrame,
    concept_terms: pd.DataFrame,
    concept_relations: pd.DataFrame,
    *,
    d_sae: int,
    k: int,
    trainer: TrainerConfig,
    guidance: GuidanceConfig,
    sweep: SweepConfig,
    judging: JudgingConfig,
) -> Any:
    """Plan all members of a sweep (`sweeps.plan.SweepPlan`); `SweepDataset` runs them on saving.

    `d_sae`, `k`, `trainer` and `guidance` are those of `training`, for what the list leaves open.
    """
    from protsae.annotations.labels import LabelTables
    from protsae.probing.judge import Known
    from protsae.sweeps.members import expand
    from protsae.sweeps.plan import SweepData, SweepPlan
    from protsae.training.dictionaries import Defaults

    settings = {"protsae": {"guidance": guidance.model_dump()}}
    defaults = Defaults(activation_shards.d_model, d_sae, k, 0, trainer, settings, len(concepts))
    tables = LabelTables(concepts, protein_labels, labelled_aspects, residue_labels)
    known = Known(proteins, tables, concept_terms, concept_relations)
    data = SweepData(activation_shards, known, axioms)
    return SweepPlan(expand(sweep, defaults), data, judging, sweep.references)


def collect_sweep(sweep_members: Any) -> pd.DataFrame:
    """Bring the metrics of all members (of a `sweeps.plan.Sweep`) into one table."""
    metrics: pd.DataFrame = sweep_members.metrics()
    return metrics


def compare_members(sweep_metrics: pd.DataFrame, sweep: SweepConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of methods and variants in the paper's layout, and that of the ablations."""
    from protsae.reporting.comparison import ablation_table, comparison_table

    return comparison_table(sweep_metrics), ablation_table(sweep_metrics, list(sweep.ablations), ABLATED)


def plot_members(
    sweep_metrics: pd.DataFrame,
    sweep: SweepConfig,
    dictionaries: dict[str, Any],
    comparison: ComparisonConfig,
) -> tuple[Any, Any, Any]:
    """Return the figures (plotly) of scores and FVE over sparsity, of ablations, and over layers."""
    from protsae.reporting.comparison import ablation_figure, curve_figure, layer_figure
    from protsae.reporting.dictionaries import Dictionaries

    ablations, named = list(sweep.ablations), Dictionaries.of(dictionaries, comparison)
    return (
        curve_figure(sweep_metrics, named, leave_out=ablations),
        ablation_figure(sweep_metrics, ablations, ABLATED),
        layer_figure(sweep_metrics, named),
    )
