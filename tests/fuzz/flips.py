"""Flips bits in what plans keep, and has the plans run again: all bytes have to come back."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

import pandas as pd
import pytest
from tests.activations.conftest import config, proteins
from tests.fuzz.mutations import flip_on_disk
from tests.plm.tiny_esm2 import tiny_model
from tests.pretraining.conftest import protein_table, random_proteins
from tests.sweeps.conftest import sweep_data, sweep_of
from tests.training.conftest import ToyProteins, toy_plan
from tests.training.test_resume import KilledError, kill_after

from protsae.activations.plan import plan_extraction
from protsae.core.plan import Plan
from protsae.pretraining.config import PretrainerConfig, ShapeConfig
from protsae.pretraining.plan import plan_pretraining
from protsae.training.plan import TrainingPlan


class Work(NamedTuple):
    """A plan and where it works."""

    plan: Plan
    path: str
    begin: Callable[[Plan, Path], None]
    """Leaves what is spoilt: finished work, or work that was interrupted."""


def _finish(plan: Plan, path: Path) -> None:
    plan.run(path)


def _interrupt(plan: Plan, path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, suppress(KilledError):
        kill_after(patch, 8)
        plan.run(path)


def _extraction(folder: Path) -> Plan:
    ids, sequences = zip(*proteins().items(), strict=True)
    return plan_extraction(ids, sequences, tiny_model(folder), config())


def _pretraining() -> Plan:
    table = protein_table(*(random_proteins(n, n) for n in (9, 4, 3)))
    settings = {"tokens_per_batch": 200, "max_residues": 40, "validate_every": 2, "device": "cpu"}
    shape = ShapeConfig(n_layers=1, d_model=16, n_heads=2)
    return plan_pretraining(pd.DataFrame(table), shape, PretrainerConfig(steps=4, **settings), seed=0)


def works(folder: Path) -> dict[str, Work]:
    """Return one plan of each kind; `folder` takes what they need."""
    toy = ToyProteins(n_proteins=60, length=12)
    training = toy_plan(toy, "topk", snapshots=3, residues_per_protein=4)
    assert isinstance(training, TrainingPlan)
    sweep = sweep_of(sweep_data(toy), {"architecture": "topk"}, epochs=2)
    return {
        "extraction": Work(_extraction(folder), "activations", _finish),
        "training": Work(training, "topk/sae.safetensors", _finish),
        "interrupted training": Work(training, "begun/sae.safetensors", _interrupt),
        "pretraining": Work(_pretraining(), "plm/plm.safetensors", _finish),
        "sweep": Work(sweep, "sweep", _finish),
    }


def contents(folder: Path, *, hidden: bool) -> dict[Path, bytes]:
    """Return the bytes of a folder's files, with or without dot files and files in dot folders."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    shown = {name for name in files if hidden or not any(part.startswith(".") for part in name.parts)}
    return {name: files[name].read_bytes() for name in sorted(shown)}


def results(data: Path) -> dict[Path, bytes]:
    """Return the bytes of all outputs: not what is given, nor when and how they were made."""
    found = contents(data, hidden=False)
    return {path: found[path] for path in found if path.parts[0] != "01_raw" and path.name != "run.json"}


class Flipper:
    """Spoils the files of one plan, one bit at a time."""

    def __init__(self, work: Work, folder: Path) -> None:
        self._work, self._folder = work, folder
        straight = folder.parent / f"{folder.name}-straight"
        work.plan.run(straight / work.path)
        self._expected = contents(straight, hidden=False)
        work.begin(work.plan, folder / work.path)
        self._begun = contents(folder, hidden=True)
        self._kept = [name for name in self._begun if name.name[:6] not in {".live-", ".live.", ".secon"}]

    def try_one(self, random: Random) -> Path:
        """Flip one bit of one file that is kept, run the plan, compare all files, and put the start back.

        Returns:
            Name of the file.
        """
        name = random.choice(self._kept)
        flip_on_disk(self._folder / name, random)
        self._work.plan.run(self._folder / self._work.path)
        found = contents(self._folder, hidden=False)
        lost = sorted(str(path) for path in self._expected if found.get(path) != self._expected[path])
        assert not lost, f"after a flip in {name}: {lost}"
        self.restore()
        return name

    def restore(self) -> None:
        """Put the start back."""
        now = contents(self._folder, hidden=True)
        for name in now.keys() - self._begun.keys():
            (self._folder / name).unlink()
        for name, content in self._begun.items():
            if now.get(name) != content:
                (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self._folder / name).write_bytes(content)
        for folder in sorted((p for p in self._folder.rglob("*") if p.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
