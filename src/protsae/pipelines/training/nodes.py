"""Nodes of the training pipeline."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.sae.guidance_config import GuidanceConfig
from protsae.training.config import DictionaryConfig, TrainerConfig


def plan_training(
    activation_shards: Any,
    proteins: pd.DataFrame,
    *,
    dictionary: DictionaryConfig,
    hook_point: str,
    d_sae: int,
    k: int,
    seed: int,
    trainer: TrainerConfig,
    name: str,
) -> Any:
    """Plan the training of a dictionary that is not guided.

    Args:
        activation_shards: `activations.ActivationStore`.
        proteins: `protein_id`, `split`.
        dictionary: its architecture, and what differs from the other arguments.
        hook_point: which activations.
        d_sae: number of latents.
        k: latents per token.
        seed: of weights and of samples.
        trainer: settings of the trainer.
        name: what the tables call the dictionary.

    Returns:
        `training.plan.TrainingPlan`, which the checkpoint's dataset runs: the dataset has the path of the
        unfinished training.
    """
    from protsae.training.dictionaries import Defaults, Dictionary
    from protsae.training.plan import Source

    defaults = Defaults(activation_shards.d_model, d_sae, k, seed, trainer)
    source = Source(activation_shards, activation_shards.hook_point_of(hook_point), proteins)
    completed = Dictionary.of(name, dictionary, defaults)
    completed.check(f"dictionaries.{name}", defaults)
    return completed.plan(source, None)


def plan_guided_training(
    activation_shards: Any,
    proteins: pd.DataFrame,
    protein_labels: pd.DataFrame,
    labelled_aspects: pd.DataFrame,
    residue_labels: pd.DataFrame,
    concepts: pd.DataFrame,
    axioms: pd.DataFrame,
    warm_start: Path | None,
    *,
    dictionary: DictionaryConfig,
    hook_point: str,
    d_sae: int,
    k: int,
    seed: int,
    trainer: TrainerConfig,
    guidance: GuidanceConfig,
    name: str,
) -> Any:
    """Plan the training of a dictionary whose first latents are tied to the concepts.

    Args:
        activation_shards: `activations.ActivationStore`.
        proteins: `protein_id`, `split`.
        protein_labels: `protein_id`, `concept_idx`: the positives.
        labelled_aspects: `protein_id`, `aspect`: where an absent concept is a negative.
        residue_labels: `protein_id`, `concept_idx`, `instance`, `start`, `end`.
        concepts: `concept_idx`, `concept_id`, `aspect`, `level`.
        axioms: `normal_form`, `c`, `relation`, `d`.
        warm_start: checkpoint whose latents the free ones start from; None: at random.
        dictionary: its architecture, and what differs from the other arguments.
        hook_point: which activations.
        d_sae: number of latents, defined and free.
        k: free latents per token.
        seed: of weights and of samples.
        trainer: settings of the trainer.
        guidance: how the ontology guides.
        name: what the tables call the dictionary.

    Returns:
        `training.plan.TrainingPlan`, as of `plan_training`.
    """
    from dataclasses import replace

    from protsae.annotations.labels import LabelTables
    from protsae.training.dictionaries import Defaults, Dictionary
    from protsae.training.plan import Knowledge, Source

    settings = {"protsae": {"guidance": guidance.model_dump()}}
    defaults = Defaults(activation_shards.d_model, d_sae, k, seed, trainer, settings, len(concepts))
    source = Source(activation_shards, activation_shards.hook_point_of(hook_point), proteins)
    tables = LabelTables(concepts, protein_labels, labelled_aspects, residue_labels)
    completed = Dictionary.of(name, dictionary, defaults)
    completed.check(f"dictionaries.{name}", defaults)
    return replace(completed.plan(source, Knowledge(tables, axioms)), warm_start=warm_start)


def read_training_log(sae_checkpoint: Any) -> pd.DataFrame:
    """Return the training log that a checkpoint (a `SaeCheckpoint`) carries."""
    from protsae.training.plan import log_of

    return log_of(sae_checkpoint)
