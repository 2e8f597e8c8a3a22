"""Nodes of the dynamics pipeline: from the snapshots of trainings to curves and onsets."""

from typing import Any

import pandas as pd

from protsae.dynamics.config import OnsetConfig
from protsae.probing.config import ComparisonConfig
from protsae.training.config import TrainerConfig


def measure_curves(
    sae_checkpoint: Any, activation_shards: Any, proteins: pd.DataFrame, trainer: TrainerConfig
) -> pd.DataFrame:
    """Validate the snapshots of a checkpoint (a `SaeCheckpoint`) on an `ActivationStore`."""
    from protsae.dynamics import curves

    return curves.measure_curves(sae_checkpoint, activation_shards, proteins, trainer)


def measure_guided_curves(
    sae_checkpoint: Any,
    activation_shards: Any,
    proteins: pd.DataFrame,
    *,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    residue_labels: pd.DataFrame,
    concepts: pd.DataFrame,
    axioms: pd.DataFrame,
    trainer: TrainerConfig,
) -> pd.DataFrame:
    """Do the same for a guided dictionary, with the metrics of its guidance."""
    from protsae.annotations.labels import LabelTables
    from protsae.dynamics import curves
    from protsae.training.plan import Knowledge

    tables = LabelTables(concepts, protein_labels, labelled_aspects, residue_labels)
    knowledge = Knowledge(tables, axioms)
    return curves.measure_curves(sae_checkpoint, activation_shards, proteins, trainer, knowledge)


def locate_onsets(
    config: OnsetConfig, dictionaries: dict[str, Any], comparison: ComparisonConfig, **parts: pd.DataFrame
) -> tuple[pd.DataFrame, Any]:
    """Find when each metric begins to change, and draw the curves with their onsets (plotly)."""
    from protsae.dynamics.curves import find_onsets
    from protsae.reporting.dictionaries import Dictionaries
    from protsae.reporting.dynamics import dynamics_figure

    curves = pd.concat(list(parts.values()), ignore_index=True)
    onsets = find_onsets(curves, config)
    return onsets, dynamics_figure(curves, onsets, Dictionaries.of(dictionaries, comparison))
