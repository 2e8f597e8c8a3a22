"""A training decided before anything is computed, and its running into a checkpoint."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from protsae.activations.reader import ActivationStore
from protsae.annotations.labels import LabelTables
from protsae.core.errors import InputError
from protsae.core.files import sha256_file, sha256_text
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.training.config import TrainerConfig
from protsae.training.fingerprints import code_hash, settings_json, table_hash

if TYPE_CHECKING:
    from protsae.training.trainer import Trainer

_CODE = (
    *("core/*.py", "activations/*.py", "annotations/labels.py", "metrics/*.py"),
    *("sae/base.py", "training/*.py"),
)
"""What every training runs; beside it counts the module of its architecture with all that this imports."""

_LOGGER = logging.getLogger(__name__)


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
class TrainingPlan:
    """All that the weights of one autoencoder follow from. Test proteins take no part in it."""

    architecture: str
    """Name in `sae.registry.ARCHITECTURES`."""
    source: Source
    size: Size
    trainer: TrainerConfig
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the architecture's config, such as `guidance`."""
    knowledge: Knowledge | None = None
    """None for unguided architectures."""
    warm_start: Path | None = None
    """Checkpoint whose latents ProtSAE's free ones start from; None: they start at random."""
    name: str = ""
    """What tables call the dictionary; empty: as its architecture."""

    @property
    def fingerprint(self) -> str:
        """Hash of activations, proteins, labels, settings, code and torch: equal ones, the same training.

        The device counts as it is asked for: a GPU and a CPU do not give the same bits.
        """
        source, knowledge = self.source, self.knowledge
        shown = source.proteins.loc[source.proteins["split"].isin(["train", "validation"])]
        tables: list[pd.DataFrame] = [shown[["protein_id", "split"]]]
        if knowledge is not None:
            labels = knowledge.tables
            of_proteins = (labels.protein_labels, labels.labelled_aspects, labels.residue_labels)
            tables += [labels.concepts[["concept_idx", "concept_id", "aspect", "level"]], knowledge.axioms]
            tables += [table[table["protein_id"].isin(shown["protein_id"])] for table in of_proteins]
        return sha256_text(
            self.architecture,
            self.name or self.architecture,
            source.store.fingerprint(),
            source.hook_point,
            *map(str, self.size),
            self.trainer.settings_json(),
            settings_json(dict(self.settings)),
            *map(table_hash, tables),
            code_hash(*_CODE, module=self._module),
            version("torch"),
            *(() if self.warm_start is None else (sha256_file(self.warm_start),)),
        )

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

    @property
    def _module(self) -> str | None:
        from protsae.sae.registry import ARCHITECTURES

        known = ARCHITECTURES.get(self.architecture)
        return None if known is None else known[0].__module__

    def run(self, path: Path) -> None:
        """Train, or go on training, and write the checkpoint to `path`; nothing is done where it lies there.

        State and live metrics of an unfinished training lie beside it as dot files.

        Raises:
            InputError: what `fit` refuses, or a damaged state.
        """
        from protsae.training.files import TrainingFiles
        from protsae.training.trainer import Trainer

        if self.is_made(path):
            _LOGGER.info("%s is the checkpoint of this very training: kept", path)
            TrainingFiles(path.parent, self.fingerprint).close()
            return
        self.train(path, Trainer)

    def run_on_workers(self, path: Path, workers: Mapping[str, Any]) -> None:
        """Do the same on several workers, whose settings are those of `training.workers.WorkersConfig`.

        Raises:
            InputError: what `training.workers.run_on_workers` refuses.
        """
        from protsae.training.workers import WorkersConfig, run_on_workers

        run_on_workers(self, path, WorkersConfig.model_validate(dict(workers)))

    def is_made(self, path: Path) -> bool:
        """Say whether the checkpoint of this very training lies at `path`."""
        return made_by(path) == self.fingerprint

    def train(self, path: Path, trainer: "type[Trainer]", leads: bool = True) -> None:
        """Train with one of the trainers; see `run`.

        Args:
            path: the checkpoint.
            trainer: its class.
            leads: whether this process, of several that train together, writes the files.
        """
        from protsae.training.files import FollowerFiles, TrainingFiles
        from protsae.training.fit import fit

        fingerprint = self.fingerprint
        files = TrainingFiles(path.parent, fingerprint, self.about)
        if not leads:
            files = FollowerFiles(path.parent, fingerprint)
        if leads and (others := files.state.others()):
            _LOGGER.warning(
                "unfinished trainings of other settings, data or code lie in %s and are left alone; delete "
                "what you do not want to go on with: %s", path.parent, ", ".join(others),
            )  # fmt: skip
        (sae, metadata), log = fit(self, files, trainer)
        if leads:
            save_sae(sae, path, metadata | {"fingerprint": fingerprint, "log": _log_rows(log)})
            files.close()


def made_by(path: Path) -> str | None:
    """Return the fingerprint of the training that made a checkpoint; None without one, or of no plan."""
    try:
        found = SaeCheckpoint(path).metadata.get("fingerprint")
    except InputError:
        return None
    return None if found is None else str(found)


def log_of(checkpoint: SaeCheckpoint) -> pd.DataFrame:
    """Return the training log that a checkpoint carries: `step`, `epoch`, `split`, `term`, `value`.

    Raises:
        InputError: it carries none, because it was not trained by a plan.
    """
    if "log" not in checkpoint.metadata:
        raise InputError(f"{checkpoint.path} carries no training log: the training pipeline did not make it")
    log = pd.DataFrame(checkpoint.metadata["log"], columns=["step", "epoch", "split", "term", "value"])
    return log.astype({"value": "float64"})


def _log_rows(log: pd.DataFrame) -> list[list[Any]]:
    """Return the rows as JSON values, null for what is no number."""
    values = [value if np.isfinite(value) else None for value in log["value"].tolist()]
    return [list(row) for row in zip(*(log[name].tolist() for name in log.columns[:-1]), values, strict=True)]
