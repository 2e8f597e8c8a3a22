"""Nodes of the fidelity pipeline: how well each dictionary preserves activations and language model."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.fidelity.config import FidelityMetricsConfig, PassesConfig, SequencesConfig
from protsae.pipelines.wiring import stacked, stacked_metrics


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


def judge_fidelity(
    plm_losses: pd.DataFrame,
    spliced_losses: pd.DataFrame,
    reconstruction_sums: pd.DataFrame,
    latent_statistics: pd.DataFrame,
    residue_codes: Any,
    *,
    hook_point: str,
    config: FidelityMetricsConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn sums into metrics with intervals, and densities into a histogram; `residue_codes` (a `CodeStore`)
    names the dictionary."""
    from protsae.fidelity.densities import density_histogram
    from protsae.fidelity.judging import loss_rows, reconstruction_rows, require_hook_point
    from protsae.metrics.table import concat_metrics

    run, d_model = residue_codes.run, residue_codes.dictionary.d_model
    require_hook_point(run, hook_point)
    found = reconstruction_rows(reconstruction_sums, latent_statistics, d_model, run, config)
    metrics = concat_metrics([found, loss_rows(plm_losses, spliced_losses, run, config)])
    return metrics, density_histogram(latent_statistics, run.method)


def collect_fidelity(**parts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Stack the metrics and the histograms of all dictionaries: `fidelity_metrics`, `density_histogram`."""
    return stacked_metrics(parts, "fidelity_metrics"), stacked(parts, "density_histogram")
