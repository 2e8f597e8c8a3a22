"""Kedro datasets of this project, each imported when its name is first asked for: commands start fast."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protsae.datasets.activation_shards import ActivationShardsDataset
    from protsae.datasets.parquet_activations import ParquetActivationsDataset
    from protsae.datasets.plm_checkpoint import PlmCheckpointDataset
    from protsae.datasets.pretrained_plm import PretrainedPlmDataset
    from protsae.datasets.residue_codes import ResidueCodesDataset
    from protsae.datasets.sae_checkpoint import SaeCheckpointDataset
    from protsae.datasets.source_file import SourceFileDataset, SourceFilesDataset
    from protsae.datasets.sweep import SweepDataset

__all__ = [
    "ActivationShardsDataset",
    "ParquetActivationsDataset",
    "PlmCheckpointDataset",
    "PretrainedPlmDataset",
    "ResidueCodesDataset",
    "SaeCheckpointDataset",
    "SourceFileDataset",
    "SourceFilesDataset",
    "SweepDataset",
]

_MODULES = {
    "ActivationShardsDataset": "activation_shards",
    "PlmCheckpointDataset": "plm_checkpoint",
    "ParquetActivationsDataset": "parquet_activations",
    "PretrainedPlmDataset": "pretrained_plm",
    "ResidueCodesDataset": "residue_codes",
    "SaeCheckpointDataset": "sae_checkpoint",
    "SourceFileDataset": "source_file",
    "SourceFilesDataset": "source_file",
    "SweepDataset": "sweep",
}


def __getattr__(name: str) -> Any:
    """Import the module of dataset `name`."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
