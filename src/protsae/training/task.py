"""The input of a training, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from protsae.activations.reader import ActivationStore
from protsae.annotations.labels import LabelTables
from protsae.training.config import TrainerConfig


class Source(NamedTuple):
    """Where residues come from."""

    store: ActivationStore
    hook_point: str
    proteins: pd.DataFrame
    """`protein_id`, `split`."""


class SizeAndSeed(NamedTuple):
    """How large an autoencoder is, and its seed."""

    d_sae: int
    k: int
    seed: int


class Knowledge(NamedTuple):
    """Concepts, labels and axioms, for guided architectures."""

    tables: LabelTables
    """Concepts, whose row order is latent order, and what carries them."""
    axioms: pd.DataFrame
    """See `sae.axioms.AxiomIndices.from_table`."""


@dataclass(frozen=True)
class UnguidedTask:
    """All that determines the weights of an unguided autoencoder. Test proteins are not used."""

    architecture: str
    """Name in `sae.registry.ARCHITECTURES`."""
    source: Source
    size: SizeAndSeed
    trainer: TrainerConfig
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the architecture's config, such as `guidance`."""
    name: str = field(default="", kw_only=True)
    """What tables call the dictionary; empty: as its architecture."""

    @property
    def origin(self) -> dict[str, Any]:
        """What the weights belong to, for the metadata of the checkpoint."""
        model = self.source.store.manifest.model
        return {
            "name": self.name or self.architecture,
            "hook_point": self.source.hook_point,
            "model": model.name,
            "model_sha256": model.sha256,
            "seed": self.size.seed,
        }


@dataclass(frozen=True)
class TrainingTask(UnguidedTask):
    """The same for any architecture. Code of unguided ones reads no more than an `UnguidedTask`."""

    knowledge: Knowledge | None = None
    """None for unguided architectures."""
    warm_start: Path | None = None
    """Checkpoint whose latents ProtSAE's free ones start from; None: they start at random."""
