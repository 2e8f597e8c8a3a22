"""A pretraining decided before anything is computed, and its running."""

import logging
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from protsae.core.code import code_hash
from protsae.core.errors import InputError
from protsae.core.files import sha256_text
from protsae.core.plan import Plan
from protsae.plm.residues import check_residues
from protsae.pretraining.checkpoint import read_plm_header, save_plm
from protsae.pretraining.config import PerplexityConfig, PretrainerConfig, ShapeConfig
from protsae.training.state import StateFile

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitProteins:
    """The proteins of one split."""

    protein_ids: tuple[str, ...]
    sequences: tuple[str, ...]


@dataclass(frozen=True)
class PretrainingPlan(Plan):
    """All that the weights follow from. There are no test proteins in it."""

    shape: ShapeConfig
    trainer: PretrainerConfig
    seed: int
    train: SplitProteins
    validation: SplitProteins

    @property
    def fingerprint(self) -> str:
        """Hash of proteins, settings, code and torch: the same fingerprint, the same training."""
        settings = (self.shape.model_dump_json(), self.trainer.model_dump_json(), str(self.seed))
        proteins = (
            sha256_text(*split.protein_ids, *split.sequences) for split in (self.train, self.validation)
        )
        return sha256_text(
            pretraining_code_hash(), version("torch"), version("fair-esm"), *settings, *proteins
        )

    def run(self, path: Path, how: None = None) -> None:
        """Train, or resume training, and write the model to `path`; a model of this very plan is kept.

        The state of an unfinished training is a dot file in the same folder and is removed at the end.

        Raises:
            InputError: training diverges, the state is damaged, or there is no such device.
        """
        fingerprint = self.fingerprint
        state_file = StateFile(path.parent, fingerprint)
        if _is_made(path, fingerprint):
            _LOGGER.info("%s is the model of this very training: kept", path)
            state_file.remove()
            return
        state_file.warn_of_others()
        _train(self, path, state_file, fingerprint)
        state_file.remove()


def plan_pretraining(
    proteins: pd.DataFrame, shape: ShapeConfig, trainer: PretrainerConfig, *, seed: int
) -> PretrainingPlan:
    """Take the training and validation proteins out of all.

    Args:
        proteins: `protein_id`, `sequence`, `split`.
        shape: of the model.
        trainer: settings.
        seed: of weights, order, crops and masks.

    Raises:
        InputError: a split without proteins, or a letter that is no residue.
    """
    return PretrainingPlan(
        shape, trainer, seed, split_proteins(proteins, "train"), split_proteins(proteins, "validation")
    )


def split_proteins(proteins: pd.DataFrame, name: str) -> SplitProteins:
    """Return the proteins of one split, sorted by id.

    Raises:
        InputError: there are none, or a letter is no residue.
    """
    rows = proteins.loc[proteins["split"] == name, ["protein_id", "sequence"]].sort_values("protein_id")
    if rows.empty:
        raise InputError(f"no protein is in split '{name}': change splitting.split, or give more proteins")
    for protein_id, sequence in rows.itertuples(index=False):
        check_residues(sequence, f"protein {protein_id!r}")
    return SplitProteins(tuple(rows["protein_id"]), tuple(rows["sequence"]))


def pretraining_code_hash() -> str:
    """Return the hash of the code that trains."""
    return code_hash(_train)


def _is_made(path: Path, fingerprint: str) -> bool:
    try:
        return bool(read_plm_header(path).about.get("fingerprint") == fingerprint)
    except InputError:
        return False


def _train(plan: PretrainingPlan, path: Path, state_file: StateFile, fingerprint: str) -> None:
    from protsae.core.devices import pick_device
    from protsae.pretraining.evaluation import draw_proteins, validation_terms
    from protsae.pretraining.trainer import Pretrainer
    from protsae.training.threads import torch_threads

    config = plan.trainer
    device = pick_device(config.device, "pretraining.trainer.device")
    judged = PerplexityConfig(
        seed=plan.seed,
        mask_probability=config.masking.mask_probability,
        max_residues=config.max_residues,
        tokens_per_batch=config.tokens_per_batch,
    )
    drawn = draw_proteins(plan.validation.sequences, config.validation_proteins, plan.seed)
    looked_at = [plan.validation.sequences[i] for i in drawn]
    with torch_threads(config.threads):
        pretrainer = Pretrainer(
            plan.shape,
            config,
            plan.train.protein_ids,
            plan.train.sequences,
            validate=lambda module: validation_terms(module, looked_at, judged, device),
            seed=plan.seed,
            device=device,
        )
        trained = pretrainer.fit(state_file)
    about = {
        "fingerprint": fingerprint,
        "shape": plan.shape.model_dump(),
        "trainer": config.model_dump(),
        "seed": plan.seed,
        "n_train_proteins": len(plan.train.protein_ids),
        "n_validation_proteins": len(plan.validation.protein_ids),
        "n_residues_seen": trained.n_residues,
        "chosen_step": trained.step,
        "validation": trained.validation,
        "log": trained.log,
    }
    save_plm(path, trained.weights, plan.shape, dtype=config.stored_dtype, about=about)
