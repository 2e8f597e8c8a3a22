"""Nodes of the fidelity pipeline: what is left of activations and language model under each dictionary."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.fidelity.config import JudgingConfig, PassesConfig, SequencesConfig
from protsae.probing.config import EncodingConfig


def choose_fidelity_sequences(
    activation_shards: Any, proteins: pd.DataFrame, config: SequencesConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Choose and mask the test proteins that have activations (in an `ActivationStore`)."""
    from protsae.fidelity.sequences import choose_sequences

    return choose_sequences(proteins, activation_shards.protein_ids, config)


def measure_ablations(
    plm_checkpoint: Path,
    activation_shards: Any,
    proteins: pd.DataFrame,
    fidelity_sequences: pd.DataFrame,
    *,
    hook_point: str,
    config: PassesConfig,
) -> pd.DataFrame:
    """Run the language model as it is, and with the hook point ablated: once for all dictionaries.

    The mean of mean ablation is that of the stored training activations (of an `ActivationStore`).
    """
    from protsae.fidelity.splicing import measure_ablated
    from protsae.plm import load_plm

    model = load_plm(plm_checkpoint)
    return measure_ablated(model, activation_shards, proteins, fidelity_sequences, hook_point, config)


def splice_dictionary(
    plm_checkpoint: Path, sae_checkpoint: Any, fidelity_sequences: pd.DataFrame, config: PassesConfig
) -> pd.DataFrame:
    """Run the language model with a dictionary (a `SaeCheckpoint`) spliced in at its hook point."""
    from protsae.fidelity.splicing import measure_spliced
    from protsae.plm import load_plm

    return measure_spliced(load_plm(plm_checkpoint), sae_checkpoint, fidelity_sequences, config)


def measure_reconstruction(
    activation_shards: Any, sae_checkpoint: Any, proteins: pd.DataFrame, config: EncodingConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pass the stored test activations (of an `ActivationStore`) through a dictionary (a `SaeCheckpoint`)."""
    from protsae.fidelity.reconstruction import reconstruction_sums
    from protsae.probing.splits import split_of_proteins

    stored = split_of_proteins(proteins, activation_shards.protein_ids, ("test",))
    test = proteins[proteins["protein_id"].isin(stored)]
    hook_point = str(sae_checkpoint.metadata["hook_point"])
    return reconstruction_sums(
        activation_shards, hook_point, sae_checkpoint.load(), test, config.residues_per_batch
    )


def judge_fidelity(
    plm_losses: pd.DataFrame,
    spliced_losses: pd.DataFrame,
    reconstruction_sums: pd.DataFrame,
    latent_densities: pd.DataFrame,
    sae_checkpoint: Any,
    *,
    hook_point: str,
    config: JudgingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn sums into metrics with intervals, and densities into a histogram."""
    from protsae.fidelity.densities import density_histogram
    from protsae.fidelity.judging import loss_rows, reconstruction_rows, require_hook_point
    from protsae.metrics.table import concat_metrics
    from protsae.probing.encoding import Run

    run, d_model = Run.of(sae_checkpoint), int(sae_checkpoint.metadata["d_model"])
    require_hook_point(run, hook_point)
    found = reconstruction_rows(reconstruction_sums, latent_densities, d_model, run, config)
    metrics = concat_metrics([found, loss_rows(plm_losses, spliced_losses, run, config)])
    return metrics, density_histogram(latent_densities, run.method)
