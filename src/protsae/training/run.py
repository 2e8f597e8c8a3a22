"""Runs a training task, and the fingerprint by which its state and checkpoint are recognised."""

import logging
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from protsae.core.code import code_hash
from protsae.core.errors import InputError
from protsae.core.files import sha256_file, sha256_text
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.made_for import activations_on_record
from protsae.training.files import TrainingFiles, made_by
from protsae.training.fingerprints import settings_json, table_hash
from protsae.training.task import TrainingTask

if TYPE_CHECKING:
    from protsae.sae.base import SparseAutoencoder
    from protsae.training.trainer import Trainer

REGISTRY = "protsae.sae.registry:ARCHITECTURES"
"""Not part of fingerprints, which contain the one architecture that is used."""
_LOGGER = logging.getLogger(__name__)


def fingerprint_of(task: TrainingTask) -> str:
    """Hash of activations, proteins, labels, settings, code and torch: equal ones, the same training.

    The device counts as it is set: a GPU and a CPU do not give the same bits.
    """
    source, knowledge = task.source, task.knowledge
    shown = source.proteins.loc[source.proteins["split"].isin(["train", "validation"])]
    tables: list[pd.DataFrame] = [shown[["protein_id", "split"]]]
    if knowledge is not None:
        labels = knowledge.tables
        of_proteins = (labels.protein_labels, labels.labelled_aspects, labels.residue_labels)
        tables += [labels.concepts[["concept_idx", "concept_id", "aspect", "level"]], knowledge.axioms]
        tables += [table[table["protein_id"].isin(shown["protein_id"])] for table in of_proteins]
    return sha256_text(
        task.architecture,
        task.name or task.architecture,
        source.store.fingerprint(),
        source.hook_point,
        *map(str, task.size),
        task.trainer.settings_json(),
        settings_json(dict(task.settings)),
        *map(table_hash, tables),
        training_code_hash(task.architecture, warm=task.warm_start is not None),
        version("torch"),
        *(() if task.warm_start is None else (sha256_file(task.warm_start),)),
    )


def run(task: TrainingTask, path: Path) -> None:
    """Train, or resume training, and write the checkpoint to `path`, unless it is there already.

    State and live metrics of an unfinished training are dot files in its folder.

    Raises:
        InputError: what `fit` refuses, or a damaged state.
    """
    from protsae.training.trainer import Trainer

    if is_made(task, path):
        _LOGGER.info("%s is the checkpoint of this training: kept", path)
        TrainingFiles(path.parent, fingerprint_of(task)).close()
        return
    train(task, path, Trainer)


def is_made(task: TrainingTask, path: Path) -> bool:
    """Return whether `path` is the checkpoint of this training, whole, as are its snapshots."""
    fingerprint = fingerprint_of(task)
    if made_by(path) != fingerprint:
        return False
    n_snapshots = SaeCheckpoint(path).metadata.get("n_snapshots", 0)
    return bool(n_snapshots == TrainingFiles(path.parent, fingerprint).n_snapshots)


def train(task: TrainingTask, path: Path, trainer: "type[Trainer]", leads: bool = True) -> None:
    """Train with one of the trainers; see `run`.

    Args:
        task: what to train.
        path: the checkpoint.
        trainer: its class.
        leads: whether this process, of several that train together, writes the files.
    """
    from protsae.training.fit import fit

    fingerprint = fingerprint_of(task)
    files = TrainingFiles(path.parent, fingerprint, task.origin, leads=leads)
    if leads:
        files.state.warn_of_others()
    (sae, metadata), log = fit(task, files, trainer)
    if leads:
        about = {
            "fingerprint": fingerprint,
            "log": _log_rows(log),
            "n_snapshots": files.n_snapshots,
            "activations": _activations_of(sae, task, metadata),
        }
        save_sae(sae, path, metadata | about)
        files.close()


def _activations_of(
    sae: "SparseAutoencoder", task: TrainingTask, metadata: dict[str, Any]
) -> dict[str, Any] | None:
    """Return what the checkpoint says of the training activations, for those who apply it to others."""
    proteins, n_rows = task.source.proteins, task.source.store.n_rows()
    shown = proteins.loc[proteins["split"] == "train", "protein_id"]
    n_residues = sum(int(n_rows.get(protein_id, 0)) for protein_id in shown)
    found = activations_on_record(sae, metadata["training"].get("validation/fve"), n_residues)
    return None if found is None else found.model_dump()


def training_code_hash(architecture: str, *, warm: bool) -> str:
    """Return the hash of the code that trains an architecture, on one worker or on several.

    Args:
        architecture: its name.
        warm: whether it starts from another dictionary, which may be of any architecture.

    Raises:
        InputError: an unknown architecture.
    """
    from protsae.training.distributed import DistributedTrainer
    from protsae.training.fit import fitter_of
    from protsae.training.warm_start import load_donor

    fitter, kind, shape = fitter_of(architecture)
    items = [fitter, kind, shape, _log_rows, *([DistributedTrainer] if kind.takes_parts else [])]
    return code_hash(*items, load_donor) if warm else code_hash(*items, without=(REGISTRY,))


def log_of(checkpoint: SaeCheckpoint) -> pd.DataFrame:
    """Return the training log that a checkpoint carries: `step`, `epoch`, `split`, `term`, `value`.

    Raises:
        InputError: it has none, because it was not trained by a plan.
    """
    if "log" not in checkpoint.metadata:
        raise InputError(f"{checkpoint.path} has no training log: the training pipeline did not make it")
    log = pd.DataFrame(checkpoint.metadata["log"], columns=["step", "epoch", "split", "term", "value"])
    return log.astype({"value": "float64"})


def _log_rows(log: pd.DataFrame) -> list[list[Any]]:
    """Return the rows as JSON values, null for what is no number."""
    values = [value if np.isfinite(value) else None for value in log["value"].tolist()]
    return [list(row) for row in zip(*(log[name].tolist() for name in log.columns[:-1]), values, strict=True)]
