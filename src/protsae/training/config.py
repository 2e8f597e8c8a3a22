"""Settings of the trainer. No torch here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, RootModel, model_validator

from protsae.core.config import Config
from protsae.sae.config import CONFIGS, has_predictor, knows_concepts
from protsae.sequences.split import SplitConfig


class TrainerConfig(Config):
    """How an autoencoder is trained; the same for every architecture."""

    epochs: int = Field(40, gt=0)
    """Passes over the training proteins; each pass draws other residues."""
    residues_per_protein: int = Field(32, gt=0)
    """Residues drawn of each protein and pass (all of a shorter one)."""
    proteins_per_batch: int = Field(32, gt=0)
    """Proteins per step."""
    validation_residues_per_protein: int = Field(32, gt=0)
    """Residues of each validation protein, the same in every pass."""
    max_memory_gb: float = Field(8.0, gt=0)
    """GB (10^9 bytes) that the activations of each split may take. Where they take more, they are streamed
    from the shards through a buffer of this size: other draws, of the same kind."""
    learning_rate: float = Field(3e-3, gt=0)
    """Peak rate of Adam."""
    warmup_share: float = Field(0.05, ge=0, lt=1)
    """Share of all steps over which the rate rises from zero; from there it falls linearly to zero."""
    clip_norm: float = Field(1.0, gt=0)
    """Bound on the norm of the whole gradient."""
    threads: int = Field(1, gt=0)
    """Threads of torch. A setting and not the machine's core count, because the last bits of the weights
    depend on it; on cores that other processes use too, two threads were ten times slower than one."""
    dead_after_n_tokens: int = Field(20_000, gt=0)
    """A latent that has not fired on this many training residues is dead, and AuxK may revive it."""
    fve_tolerance: float = Field(0.01, ge=0, le=1)
    """ProtSAE keeps the epoch of best validation average precision among those whose validation FVE is within
    this of the run's best; TopK keeps the epoch of best validation FVE."""
    patience: int | None = Field(None, gt=0)
    """Epochs without a better validation figure (the one that chooses the epoch) after which training ends
    early; None: never. The learning rate falls as if all epochs were run."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products of training: bfloat16 on hardware that has it. Weights and validation stay
    float32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; `auto`: on a GPU where there is one."""
    save_every: int = Field(1000, gt=0)
    """Steps between two savings of the state from which a killed training resumes; changes no result."""
    log_every: int = Field(50, gt=0)
    """Steps of which each line of the live metrics is the mean; changes no result."""

    snapshots: int = Field(0, ge=0)
    """Copies of the autoencoder to keep with its checkpoint, at steps evenly spaced by their logarithm; the
    pipeline `dynamics` reads them. A training with another number of them counts as another one."""

    def settings_json(self) -> str:
        """Return all that the weights, and the snapshots where there are any, follow from, as JSON."""
        without = {"save_every", "log_every"} | (set() if self.snapshots else {"snapshots"})
        return self.model_dump_json(exclude=without)


class DictionaryConfig(Config):
    """One dictionary: its architecture, and what differs from the settings that all of them share."""

    architecture: str
    """Name in the registry of architectures."""
    d_sae: int | None = Field(None, gt=0)
    """Number of latents; null: `training.d_sae`."""
    k: int | None = Field(None, gt=0)
    """Latents per token; null: `training.k`. An architecture whose penalty keeps codes sparse is steered to
    it (`target_l0`), if it is given here."""
    seed: int | None = Field(None, ge=0)
    """Of weights and of samples; null: `training.seed`."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Fields of the architecture's config that differ from what training uses; nested blocks are merged."""
    trainer: dict[str, Any] = Field(default_factory=dict)
    """Fields of `training.trainer` that differ."""


class ParquetConfig(Config):
    """How Parquet files of any origin are read: the source `parquet` of training."""

    min_proteins: int = Field(10, gt=0)
    """Training proteins that a label needs to become a concept."""
    split: SplitConfig = SplitConfig()
    """How proteins are assigned to splits by their ids, where the files have no column `split`."""


RESERVED = frozenset(
    {
        "references",
        "baselines",
        "neurons",
        "random_directions",
        "linear",
        "gated_linear",
        "composition",
        "random_plm",
    }
)
"""Names that tables give to what is no dictionary."""


class DictionariesConfig(RootModel[dict[str, DictionaryConfig | None]]):
    """The dictionaries by name; null removes one that an environment below lists."""

    @model_validator(mode="after")
    def _names_can_be_files(self) -> "DictionariesConfig":
        for name, entry in self.root.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,79}", name) or name in RESERVED:
                raise ValueError(
                    f"a dictionary cannot be called {name!r}: use up to 80 lower-case letters, digits and "
                    f"'_', starting with a letter, and none of {', '.join(sorted(RESERVED))}"
                )
            if entry is not None and entry.architecture not in CONFIGS:
                known = ", ".join(sorted(CONFIGS))
                raise ValueError(f"{name}: architecture '{entry.architecture}' is not known: {known}")
        if all(entry is None for entry in self.root.values()):
            raise ValueError("there is no dictionary: list one, such as topk: {architecture: topk}")
        return self


@dataclass(frozen=True)
class DictionaryList:
    """The dictionaries of a project, in their order."""

    architectures: Mapping[str, str]
    """Name of a dictionary to its architecture."""

    @staticmethod
    def architectures_of(listed: Mapping[str, Any]) -> dict[str, str]:
        """Return the architectures of the parameter `dictionaries`, without those set to null."""
        entries = DictionariesConfig.model_validate(dict(listed)).root
        return {name: entry.architecture for name, entry in entries.items() if entry is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """All dictionaries."""
        return tuple(self.architectures)

    @property
    def guided(self) -> tuple[str, ...]:
        """Those whose first latents are tied to concepts."""
        return tuple(name for name in self.names if knows_concepts(self.architectures[name]))

    @property
    def predicting(self) -> tuple[str, ...]:
        """Those of them that also predict concepts, residue by residue."""
        return tuple(name for name in self.names if has_predictor(self.architectures[name]))
