"""Flips bits in what plans keep, and has the plans run again: all bytes have to come back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pandas as pd
import pytest
from tests.activations.conftest import config, proteins
from tests.fuzz.mutations import flip_on_disk
from tests.plm.tiny_esm2 import tiny_model
from tests.prediction.small import plan_of, small_release, some_proteins
from tests.pretraining.conftest import protein_table, random_proteins
from tests.steering.small import small_steering
from tests.sweeps.conftest import sweep_data, sweep_of
from tests.training.conftest import ToyProteins, toy_plan
from tests.training.test_resume import KilledError, kill_after

from protsae.activations.plan import plan_extraction
from protsae.core.plan import Plan
from protsae.explanation.answers import LlmPlan
from protsae.explanation.config import LlmConfig
from protsae.explanation.prompts import Prompt
from protsae.explorer.folder import SitePlan
from protsae.prediction.plan import PredictionPlan
from protsae.prediction.variants import Substitution, Variant
from protsae.pretraining.config import PretrainerConfig, ShapeConfig
from protsae.pretraining.plan import plan_pretraining
from protsae.training.plan import TrainingPlan


class Work(NamedTuple):
    """A plan and where it works."""

    plan: Plan
    path: str
    begin: Callable[[Plan, Path, Any], None] = lambda plan, path, how: plan.run(path, how)
    """Leaves what is spoilt: finished work, or work that was interrupted."""
    how: Any = None
    """See `Plan.run`."""


def _interrupt_training(plan: Plan, path: Path, how: Any) -> None:
    with pytest.MonkeyPatch.context() as patch, suppress(KilledError):
        kill_after(patch, 8)
        plan.run(path, how)


class _Breaks:
    """Makes the first two shards, and is killed."""

    def run(self, make: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Any]:
        yield from map(make, jobs[:2])
        raise KilledError


def _interrupt_shards(plan: Plan, path: Path, how: Any) -> None:
    with suppress(KilledError):
        plan.run(path, _Breaks())


def _extraction(folder: Path) -> Work:
    ids, sequences = zip(*proteins().items(), strict=True)
    return Work(plan_extraction(ids, sequences, tiny_model(folder), config()), "activations")


def _training(folder: Path) -> Plan:
    toy = ToyProteins(n_proteins=60, length=12)
    plan = toy_plan(toy, "topk", snapshots=3, residues_per_protein=4)
    assert isinstance(plan, TrainingPlan)
    return plan


def _pretraining(folder: Path) -> Work:
    table = protein_table(*(random_proteins(n, n) for n in (9, 4, 3)))
    settings = {"tokens_per_batch": 200, "max_residues": 40, "validate_every": 2, "device": "cpu"}
    shape = ShapeConfig(n_layers=1, d_model=16, n_heads=2)
    plan = plan_pretraining(pd.DataFrame(table), shape, PretrainerConfig(steps=4, **settings), seed=0)
    return Work(plan, "plm/plm.safetensors")


def _sweep(folder: Path) -> Work:
    toy = ToyProteins(n_proteins=60, length=12)
    return Work(sweep_of(sweep_data(toy), {"architecture": "topk"}, epochs=2), "sweep")


def _prediction(folder: Path) -> PredictionPlan:
    proteins = some_proteins()
    letters = dict(zip(proteins.ids, proteins.sequences, strict=True))["P1"]
    changes = [(place, letter, "A") for place, letter in enumerate(letters, start=1) if letter in "CDEFG"]
    variants = [
        Variant("P1", f"{a}{i}{b}", (Substitution(a, i, b),), line, None)
        for line, (i, a, b) in enumerate(changes[:4], start=2)
    ]
    return plan_of(small_release(folder / "of"), proteins, variants)


class _Answers:
    """An endpoint that answers at once, always the same."""

    def ask(self, prompt: Prompt) -> Any:
        return f"an answer to {prompt.question}"


def _answers(folder: Path) -> Work:
    prompts = [Prompt(i, "explain", False, f"question {i}") for i in range(3)]
    return Work(LlmPlan(prompts, LlmConfig(use="explain", model="m")), "answers", how=_Answers())


def _explorer(folder: Path) -> Work:
    return Work(SitePlan("A site", lambda: [("one", {"a": [1, 2]}), ("two", ["b"])]), "explorer")


WORKS: dict[str, Callable[[Path], Work]] = {
    "extraction": _extraction,
    "training": lambda folder: Work(_training(folder), "topk/sae.safetensors"),
    "interrupted training": lambda folder: Work(
        _training(folder), "begun/sae.safetensors", _interrupt_training
    ),
    "pretraining": _pretraining,
    "sweep": _sweep,
    "prediction": lambda folder: Work(_prediction(folder), "prediction"),
    "interrupted prediction": lambda folder: Work(_prediction(folder), "prediction", _interrupt_shards),
    "steering": lambda folder: Work(small_steering(folder), "steering"),
    "answers of a language model": _answers,
    "explorer": _explorer,
}
"""One plan of each kind; the folder takes what they need."""


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
        work.plan.run(straight / work.path, work.how)
        self._expected = contents(straight, hidden=False)
        work.begin(work.plan, folder / work.path, work.how)
        self._begun = contents(folder, hidden=True)
        self._kept = list(self._begun)

    def try_one(self, random: Random) -> Path:
        """Flip one bit of one file that is kept, run the plan, compare all files, and put the start back.

        Returns:
            Name of the file.
        """
        name = random.choice(self._kept)
        flip_on_disk(self._folder / name, random)
        self._work.plan.run(self._folder / self._work.path, self._work.how)
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
