"""From the tables of a run to the content of a release."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from protsae.core.files import sha256_file
from protsae.core.seeding import lowest_hashes
from protsae.release.config import ReleaseConfig

if TYPE_CHECKING:
    import pandas as pd

    from protsae.sae.checkpoint import SaeCheckpoint

_MB = 1_000_000


def weights_inside(plm: Path, checkpoint: "SaeCheckpoint", config: ReleaseConfig) -> Path | None:
    """Return the language model's file if its weights go into the release.

    Args:
        plm: what `plm.load_plm` read: a file or a folder.
        checkpoint: of the dictionary.
        config: how large it may be.
    """
    fits = plm.suffix == ".safetensors" and plm.is_file() and plm.stat().st_size <= config.max_plm_mb * _MB
    return plm if fits and sha256_file(plm) == checkpoint.metadata.get("model_sha256") else None


def training_sequences(proteins: "pd.DataFrame", config: ReleaseConfig) -> "pd.DataFrame":
    """Return `protein_id`, `sequence` of training proteins, as many as the release takes."""
    train = proteins.loc[proteins["split"] == "train", ["protein_id", "sequence"]]
    if config.max_train_sequences is not None and config.max_train_sequences < len(train):
        kept = lowest_hashes(train["protein_id"], config.max_train_sequences, "release")
        train = train[train["protein_id"].isin(kept)]
    return train.reset_index(drop=True)


def with_explanations(latents: "pd.DataFrame", explanations: "pd.DataFrame") -> "pd.DataFrame":
    """Join each latent with its explanation; of several the one that no LLM wrote.

    Args:
        latents: `latent` and more, one row per latent.
        explanations: `latent`, `is_generated` and more, perhaps several rows per latent. Columns whose names
            `latents` has too get the suffix `_explained`.

    Returns:
        The rows of `latents`, in their order.
    """
    one = explanations.sort_values(["latent", "is_generated"], kind="stable").drop_duplicates("latent")
    return latents.merge(one, on="latent", how="left", suffixes=("", "_explained"), validate="one_to_one")


def described(config: ReleaseConfig, sources: Mapping[str, Mapping[str, str]]) -> str:
    """Return the training data in words: those of the settings, else the names of the files."""
    return config.description or ", ".join(f"{what}: {file['file']}" for what, file in sources.items())
