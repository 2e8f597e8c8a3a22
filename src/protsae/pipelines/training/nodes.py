"""Nodes of the training pipeline."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.sae.config import GuidanceConfig
from protsae.training.config import TrainerConfig


def train_topk(
    activation_shards: Any,
    proteins: pd.DataFrame,
    *,
    hook_point: str,
    d_sae: int,
    k: int,
    seed: int,
    trainer: TrainerConfig,
) -> Any:
    """Plan a plain TopK autoencoder: the unguided dictionary that ProtSAE is read against.

    Args:
        activation_shards: `activations.ActivationStore`.
        proteins: `protein_id`, `split`.
        hook_point: which activations.
        d_sae: number of latents.
        k: latents per token.
        seed: of weights and of samples.
        trainer: settings of the trainer.

    Returns:
        `training.plan.TrainingPlan`, which the checkpoint's dataset runs: that knows where an unfinished
        training lies.
    """
    from protsae.training.plan import Size, Source, TrainingPlan

    source = Source(activation_shards, hook_point, proteins)
    return TrainingPlan("topk", source, Size(d_sae, k, seed), trainer)


def train_protsae(
    activation_shards: Any,
    proteins: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    residue_labels: pd.DataFrame,
    concepts: pd.DataFrame,
    axioms: pd.DataFrame,
    warm_start: Path | None,
    *,
    hook_point: str,
    d_sae: int,
    k: int,
    seed: int,
    trainer: TrainerConfig,
    guidance: GuidanceConfig,
) -> Any:
    """Plan ProtSAE: its first latents are tied to the concepts.

    Args:
        activation_shards: `activations.ActivationStore`.
        proteins: `protein_id`, `split`.
        protein_labels: `protein_id`, `concept_idx`: the positives.
        labelled_aspects: `protein_id`, `aspect`: where an absent concept is a negative.
        residue_labels: `protein_id`, `concept_idx`, `instance`, `start`, `end`.
        concepts: `concept_idx`, `concept_id`, `aspect`, `level`.
        axioms: `normal_form`, `c`, `relation`, `d`.
        warm_start: checkpoint whose latents the free ones start from; None: at random.
        hook_point: which activations.
        d_sae: number of latents, defined and free.
        k: free latents per token.
        seed: of weights and of samples.
        trainer: settings of the trainer.
        guidance: how the ontology guides.

    Returns:
        `training.plan.TrainingPlan`, which the checkpoint's dataset runs: that knows where an unfinished
        training lies.
    """
    from protsae.annotations.labels import LabelTables
    from protsae.training.plan import Knowledge, Size, Source, TrainingPlan

    source, size = Source(activation_shards, hook_point, proteins), Size(d_sae, k, seed)
    tables = LabelTables(concepts, protein_labels, labelled_aspects, residue_labels)
    settings = {"guidance": guidance}
    return TrainingPlan("protsae", source, size, trainer, settings, Knowledge(tables, axioms), warm_start)


def read_training_log(sae_checkpoint: Any) -> pd.DataFrame:
    """Return the training log that a checkpoint (a `SaeCheckpoint`) carries."""
    from protsae.training.plan import log_of

    return log_of(sae_checkpoint)
