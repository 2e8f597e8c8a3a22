"""Nodes of the attribution pipeline."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.pipelines.attribution.parameters import AttributionParameters


def attribute_proteins(
    attribution_proteins: Path,
    attribution_dictionary: Path,
    attribution_concepts: Path | None,
    attribution_labels: Path | None,
    attribution_encoding: Path | None,
    plm_checkpoint: Path,
    parameters: AttributionParameters,
) -> Any:
    """Plan the attribution of every prediction (`attribution.plan.AttributionPlan`); `AttributionDataset`
    does it on saving.

    Args:
        attribution_proteins: table of a run's proteins, or a file of proteins.
        attribution_dictionary: checkpoint of the autoencoder.
        attribution_concepts: the run's concepts, for names; None: none.
        attribution_labels: which protein is annotated with which concept; None: not known.
        attribution_encoding: the run's proteins encoded by this dictionary; None: none.
        plm_checkpoint: the language model of the dictionary.
        parameters: settings.
    """
    from protsae.attribution.choice import Known, choose, read_proteins
    from protsae.attribution.plan import plan_attribution
    from protsae.sae.checkpoint import SaeCheckpoint

    checkpoint = SaeCheckpoint(attribution_dictionary)
    concepts, labels = (
        None if path is None else pd.read_parquet(path) for path in (attribution_concepts, attribution_labels)
    )
    proteins = read_proteins(attribution_proteins, parameters.sequences)
    known = Known(proteins, checkpoint, concepts, labels, attribution_encoding)
    names = {i: known.names.get(name, name) for i, name in enumerate(known.concept_ids)}
    plm = (attribution_dictionary, plm_checkpoint)
    return plan_attribution(choose(known, parameters), *plm, parameters, names)


def tabulate_attribution(
    attribution_graphs: Any,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the tables of all predictions.

    Args:
        attribution_graphs: `attribution.plan.Attributions`.

    Returns:
        Residues, latents, regions, summary.
    """
    from protsae.attribution.plan import TABLES

    tables = attribution_graphs.tables()
    residues, latents, regions, summary = (tables[name] for name in TABLES)
    return residues, latents, regions, summary
