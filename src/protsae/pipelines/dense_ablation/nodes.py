"""Nodes of the dense_ablation pipeline: the language model without the subspace of a class of latents."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.fidelity.config import FidelityMetricsConfig, PassesConfig


def ablate_classes(
    plm_checkpoint: Path,
    sae_checkpoint: Any,
    latent_cards: pd.DataFrame,
    fidelity_sequences: pd.DataFrame,
    *,
    passes: PassesConfig,
    judging: FidelityMetricsConfig,
    seed: int,
) -> pd.DataFrame:
    """Project each class of dense latents of a dictionary (a `SaeCheckpoint`) out of the activations, and
    measure the loss."""
    from protsae.cards.ablation import class_losses, judge_classes
    from protsae.plm import load_plm

    model = load_plm(plm_checkpoint)
    found = class_losses(model, sae_checkpoint, latent_cards, fidelity_sequences, passes, seed)
    return judge_classes(*found, judging)
