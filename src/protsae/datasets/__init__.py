"""Kedro datasets of this project, each imported when its name is first asked for: commands start fast."""

from importlib import import_module
from typing import Any

_MODULES = {
    "ActivationShardsDataset": "activation_shards",
    "AttributionDataset": "attribution",
    "ExplorerDataset": "explorer",
    "LlmAnswersDataset": "llm_answers",
    "ParquetActivationsDataset": "parquet_activations",
    "PlmCheckpointDataset": "plm_checkpoint",
    "PredictionDataset": "prediction",
    "PredictionReleaseDataset": "prediction_release",
    "PretrainedPlmDataset": "pretrained_plm",
    "ReleaseDataset": "release",
    "ResidueCodesDataset": "residue_codes",
    "SaeCheckpointDataset": "sae_checkpoint",
    "SourceFileDataset": "source_file",
    "SourceFilesDataset": "source_file",
    "SourceFolderDataset": "source_file",
    "SteeringDataset": "steering",
    "SweepDataset": "sweep",
}


def __getattr__(name: str) -> Any:
    """Import the module of dataset `name`."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
