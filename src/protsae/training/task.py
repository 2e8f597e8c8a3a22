"""What a training is made from, as data."""

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


class Size(NamedTuple):
    """How large an autoencoder is, and its seed."""

    d_sae: int
    k: int
    seed: int


class Knowledge(NamedTuple):
    """What guided architectures are told."""

    tables: LabelTables
    """Concepts, whose row order is latent order, and what carries them."""
    axioms: pd.DataFrame
    """See `sae.axioms.AxiomIndices.from_table`."""


@dataclass(frozen=True)
class UnguidedTask:
    """All that the weights of an unguided autoencoder follow from. Test proteins take no part in it."""

    architecture: str
    """Name in `sae.registry.ARCHITECTURES`."""
    source: Source
    size: Size
    trainer: TrainerConfig
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the architecture's config, such as `guidance`."""
    name: str = field(default="", kw_only=True)
    """What tables call the dictionary; empty: as its architecture."""

    @property
    def about(self) -> dict[str, Any]:
        """What a checkpoint says its weights belong to."""
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
    """The same of any architecture. Unguided ones are given no more than an `UnguidedTask` to read."""

    knowledge: Knowledge | None = None
    """None for unguided architectures."""
    warm_start: Path | None = None
    """Checkpoint whose latents ProtSAE's free ones start from; None: they start at random."""
