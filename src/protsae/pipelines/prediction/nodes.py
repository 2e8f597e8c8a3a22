"""Nodes of the prediction pipeline."""

from pathlib import Path
from typing import Any

from protsae.pipelines.prediction.parameters import PredictionParameters
from protsae.prediction.config import PredictionConfig
from protsae.probing.config import ComparisonConfig


def plan_prediction(
    prediction_proteins: Path | None,
    prediction_variants: Path | None,
    prediction_release: Any,
    parameters: PredictionParameters,
    comparison: ComparisonConfig,
) -> Any:
    """Plan what is predicted of whom (`prediction.plan.PredictionPlan`); `PredictionDataset` does it on
    saving.

    Args:
        prediction_proteins: file of proteins.
        prediction_variants: table of substitutions.
        prediction_release: the release, or who chooses it (a `datasets.release.ReleaseChoice`).
        parameters: one protein as text, how activations are computed, and how much is kept.
        comparison: whose release is taken if none is named.
    """
    from protsae.prediction.plan import plan_prediction as plan
    from protsae.prediction.proteins import read_proteins, require_given
    from protsae.prediction.variants import Variant, read_variants

    require_given("prediction.fasta", parameters.fasta, prediction_proteins)
    require_given("prediction.variants", parameters.variants, prediction_variants)
    proteins = read_proteins(prediction_proteins, parameters.sequence)
    variants: list[Variant] = []
    if prediction_variants is not None:
        column = parameters.variants_compared.score_column
        variants, proteins = read_variants(prediction_variants, proteins, column)
    config = PredictionConfig(**{name: getattr(parameters, name) for name in PredictionConfig.model_fields})
    release = prediction_release.open(comparison.subject)
    return plan(release, proteins, variants, parameters.extraction, config, parameters.plm)
