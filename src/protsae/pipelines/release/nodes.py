"""Nodes of the release pipeline."""

from pathlib import Path
from typing import Any

import pandas as pd

from protsae.release.config import ReleaseConfig
from protsae.reporting.config import ReportTexts


def assemble_release(
    sae_checkpoint: Any,
    plm_checkpoint: Path,
    proteins: pd.DataFrame,
    split_report: dict[str, Any],
    data_sources: dict[str, dict[str, str]],
    *,
    texts: ReportTexts,
    config: ReleaseConfig,
    **tables: pd.DataFrame,
) -> Any:
    """Put together what prediction needs of one dictionary.

    Args:
        sae_checkpoint: the dictionary (a `SaeCheckpoint`).
        plm_checkpoint: file or folder of the language model.
        proteins: `protein_id`, `sequence`, `split`.
        split_report: with the split's `salt`.
        data_sources: name and hash of the files of this run.
        texts: what the user says of their sources.
        config: what goes in.
        tables: those of `release.record.TABLES`, and `explanations`, which join `latents`.

    Returns:
        `release.ReleaseContent`, which the dataset writes.
    """
    from protsae.release import DataRecord, ReleaseContent
    from protsae.release.assembly import described, training_sequences, weights_inside, with_explanations
    from protsae.reporting.sources import with_sources

    inside = {name: table for name, table in tables.items() if name != "explanations"}
    if "explanations" in tables:
        inside["latents"] = with_explanations(inside["latents"], tables["explanations"])
    return ReleaseContent(
        checkpoint=sae_checkpoint,
        plm=weights_inside(plm_checkpoint, sae_checkpoint, config),
        data=DataRecord(
            description=described(config, data_sources),
            n_proteins=int((proteins["split"] == "train").sum()),
            split_salt=str(split_report["salt"]),
        ),
        tables={**inside, "train_sequences": training_sequences(proteins, config)},
        attribution=with_sources(texts, data_sources, sae_checkpoint.metadata).attribution,
    )
