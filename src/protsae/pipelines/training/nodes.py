"""Nodes of the training pipeline."""

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
) -> tuple[Any, pd.DataFrame]:
    """Train a plain TopK autoencoder: the unguided dictionary that ProtSAE is read against.

    Args:
        activation_shards: `activations.ActivationStore`.
        proteins: `protein_id`, `split`.
        hook_point: which activations.
        d_sae: number of latents.
        k: latents per token.
        seed: of weights and of samples.
        trainer: settings of the trainer.

    Returns:
        (module, checkpoint metadata), and the training log.
    """
    from protsae.training.fit import Size, Source, fit_topk

    return fit_topk(Source(activation_shards, hook_point, proteins), Size(d_sae, k, seed), trainer)


def train_protsae(
    activation_shards: Any,
    proteins: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    residue_labels: pd.DataFrame,
    concepts: pd.DataFrame,
    axioms: pd.DataFrame,
    *,
    hook_point: str,
    d_sae: int,
    k: int,
    seed: int,
    trainer: TrainerConfig,
    guidance: GuidanceConfig,
) -> tuple[Any, pd.DataFrame]:
    """Train ProtSAE: its first latents are tied to the concepts.

    Args:
        activation_shards: `activations.ActivationStore`.
        proteins: `protein_id`, `split`.
        protein_labels: `protein_id`, `concept_idx`: the positives.
        labelled_aspects: `protein_id`, `aspect`: where an absent concept is a negative.
        residue_labels: `protein_id`, `concept_idx`, `instance`, `start`, `end`.
        concepts: `concept_idx`, `concept_id`, `aspect`, `level`.
        axioms: `normal_form`, `c`, `relation`, `d`.
        hook_point: which activations.
        d_sae: number of latents, defined and free.
        k: free latents per token.
        seed: of weights and of samples.
        trainer: settings of the trainer.
        guidance: how the ontology guides.

    Returns:
        (module, checkpoint metadata), and the training log.
    """
    from protsae.annotations.labels import LabelTables
    from protsae.training.fit import Size, Source, fit_protsae

    source, size = Source(activation_shards, hook_point, proteins), Size(d_sae, k, seed)
    tables = LabelTables(concepts, protein_labels, labelled_aspects, residue_labels)
    return fit_protsae(source, size, trainer, guidance, tables=tables, axioms=axioms)
