"""Activations extracted on the spot, mainly of a randomly initialised model, and a dictionary of them."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from protsae.activations.config import ExtractionConfig
from protsae.activations.plan import plan_extraction
from protsae.activations.reader import ActivationStore
from protsae.activations.writer import write_activations
from protsae.interpretation.config import BaselineConfig
from protsae.plm.checkpoint import PlmModel
from protsae.sae.base import SparseAutoencoder
from protsae.training.config import TrainerConfig
from protsae.training.fit import fit
from protsae.training.task import SizeAndSeed, Source, TrainingTask


def extract_into(
    folder: Path, model: PlmModel, hook_point: str, sequences: Mapping[str, str]
) -> ActivationStore:
    """Extract what a model has at a hook point, of proteins run whole.

    Args:
        folder: where the shards go.
        model: the language model.
        hook_point: where.
        sequences: protein id to residues.
    """
    config = ExtractionConfig(
        hook_point=hook_point,
        max_tokens_per_batch=16_384,
        proteins_per_shard=128,
        dtype="float16",
        long_sequences="full",
        max_residues=1022,
    )
    names = sorted(sequences)
    write_activations(plan_extraction(names, [sequences[name] for name in names], model, config), folder)
    return ActivationStore(folder)


def train_dictionary(
    store: ActivationStore, hook_point: str, proteins: pd.DataFrame, config: BaselineConfig
) -> SparseAutoencoder:
    """Train a dictionary on stored activations.

    Args:
        store: activations.
        hook_point: where they were taken.
        proteins: `protein_id`, `split`.
        config: architecture, number of latents, `k`, epochs and seed.

    Raises:
        InputError: what `training.fit` refuses.
    """
    source = Source(store, hook_point, proteins[["protein_id", "split"]])
    size = SizeAndSeed(config.n_directions, config.k, config.seed)
    trainer = TrainerConfig(epochs=config.epochs)
    (sae, _), _ = fit(TrainingTask(config.architecture, source, size, trainer))
    return sae.eval()
