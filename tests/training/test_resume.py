"""A training that is killed and continued ends in the bytes of the one that ran straight through."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from tests.damaged_files import cut, flipped
from tests.training.conftest import ToyProteins, toy_plan

from protsae.core.errors import InputError
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.figures import training_curves
from protsae.sae.checkpoint import SaeCheckpoint, snapshots_of
from protsae.sae.config import GuidanceConfig
from protsae.sae.registry import ARCHITECTURES
from protsae.training import run as run_module
from protsae.training import trainer as trainer_module
from protsae.training import validation
from protsae.training.config import TrainerConfig
from protsae.training.files import LIVE_NAME, TrainingFiles
from protsae.training.live import LiveLog, read_live
from protsae.training.plan import TrainingPlan, log_of, made_by
from protsae.training.trainer import Trainer

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parents[2]


class KilledError(Exception):
    """Stands for the end of the process."""


def kill_after(patch: pytest.MonkeyPatch, n_steps: int, where: str = "_count") -> None:
    """Raise when the trainer's step counter has come to `n_steps`."""
    original = getattr(Trainer, where)

    def counted(self, *arguments):
        result = original(self, *arguments)
        if self._step == n_steps:
            raise KilledError
        return result

    patch.setattr(Trainer, where, counted)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Checkpoint and live metrics of both architectures, run without interruption."""
    made = {}
    for architecture in ("topk", "protsae"):
        folder = tmp_path_factory.mktemp(architecture)
        toy_plan(ToyProteins(), architecture).run(folder / "sae.safetensors")
        made[architecture] = folder
    return made


def assert_same(folder: Path, expected: Path) -> None:
    for name in ("sae.safetensors", LIVE_NAME):
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name
    assert sorted(path.name for path in folder.iterdir()) == [LIVE_NAME, "sae.safetensors"]


@pytest.mark.parametrize("architecture", ["topk", "protsae"])
def test_killed_anywhere_it_ends_in_the_same_bytes(toy, architecture, straight, tmp_path):
    """Steps per epoch: 4. States are saved after steps 3, 6, 9, ...; kills come before the first, in the
    middle, on the first and the last step of an epoch, before and after its validation."""
    plan = toy_plan(toy, architecture)
    path = tmp_path / "sae.safetensors"
    for n_steps, where in ((2, "_count"), (4, "_count"), (4, "_end_epoch"), (9, "_count"), (11, "_count")):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
            kill_after(patch, n_steps, where)
            plan.run(path)
        assert not path.exists()
    plan.run(path)
    assert_same(tmp_path, straight[architecture])


@pytest.mark.parametrize("architecture", sorted(set(ARCHITECTURES) - {"topk", "protsae", "splice"}))
def test_every_architecture_continues_to_the_same_bytes(toy, architecture, tmp_path):
    plan = toy_plan(toy, architecture)
    plan.run(tmp_path / "straight/sae.safetensors")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        kill_after(patch, 7)
        plan.run(tmp_path / "killed/sae.safetensors")
    plan.run(tmp_path / "killed/sae.safetensors")
    assert_same(tmp_path / "killed", tmp_path / "straight")


@pytest.mark.parametrize("architecture", ["topk", "protsae"])
def test_snapshots_survive_kills_with_the_same_bytes(toy, architecture, straight, tmp_path):
    """Of 12 steps, four evenly spaced by their logarithm: 1, 2, 5 and 12; states after 3, 6, 9, 12."""
    plan = toy_plan(toy, architecture, snapshots=4)
    plan.run(tmp_path / "straight/sae.safetensors")
    killed = tmp_path / "killed/sae.safetensors"
    for n_steps in (2, 5, 7, 12):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
            kill_after(patch, n_steps)
            plan.run(killed)
        assert not (killed.parent / "snapshots").exists()
    plan.run(killed)
    found, expected = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "snapshots").iterdir()}
        for name in ("killed", "straight")
    )
    assert found == expected
    steps = [snapshot.metadata["step"] for snapshot in snapshots_of(SaeCheckpoint(killed))]
    assert steps == [1, 2, 5, 12]
    without = SaeCheckpoint(straight[architecture] / "sae.safetensors").load().state_dict()
    assert all(
        torch.equal(value, without[name]) for name, value in SaeCheckpoint(killed).load().state_dict().items()
    )


def test_snapshots_of_another_training_are_refused_and_make_way(toy, tmp_path):
    path = tmp_path / "sae.safetensors"
    plan = toy_plan(toy, "topk", snapshots=4)
    plan.run(path)
    other = toy_plan(toy, "topk", learning_rate=1e-3)
    other.run(path)
    with pytest.raises(InputError, match=r"belongs to another training than .*, as do 3 more"):
        snapshots_of(SaeCheckpoint(path))
    toy_plan(toy, "topk", snapshots=2).run(path)
    assert [found.metadata["step"] for found in snapshots_of(SaeCheckpoint(path))] == [1, 12]
    toy_plan(toy, "topk").run(tmp_path / "none/sae.safetensors")
    with pytest.raises(InputError, match=r"no snapshots: train with .*training\.trainer\.snapshots"):
        snapshots_of(SaeCheckpoint(tmp_path / "none/sae.safetensors"))


def test_a_kill_between_checkpoint_and_final_names_is_mended(toy, tmp_path):
    path = tmp_path / "sae.safetensors"
    plan = toy_plan(toy, "topk", snapshots=4)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(TrainingFiles, "close", lambda _self: (_ for _ in ()).throw(KilledError))
        plan.run(path)
    assert path.exists()
    plan.run(path)
    assert len(snapshots_of(SaeCheckpoint(path))) == 4


def test_guidance_that_draws_continues_to_the_same_bytes(toy, tmp_path):
    guidance = GuidanceConfig(axiom_batch=1, axiom_negatives=3, annotation_pooling="attention")
    plan = replace(toy_plan(toy, "protsae"), settings={"guidance": guidance})
    plan.run(tmp_path / "straight/sae.safetensors")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        kill_after(patch, 7)
        plan.run(tmp_path / "killed/sae.safetensors")
    plan.run(tmp_path / "killed/sae.safetensors")
    assert_same(tmp_path / "killed", tmp_path / "straight")


def test_what_is_finished_is_kept_and_not_trained_again(toy, tmp_path, caplog):
    path = tmp_path / "sae.safetensors"
    plan = toy_plan(toy, "topk")
    plan.run(path)
    before = path.stat().st_mtime_ns
    with pytest.MonkeyPatch.context() as patch:
        kill_after(patch, 1)
        caplog.set_level("INFO")
        plan.run(path)
    assert path.stat().st_mtime_ns == before
    assert "this training: kept" in caplog.text


def as_version_2(path):
    """Write a checkpoint as the version before seals had it."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    about = json.loads(header["__metadata__"]["protsae"]) | {"format_version": 2}
    del about["seal"]
    header["__metadata__"]["protsae"] = json.dumps(about)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])


def test_a_checkpoint_or_snapshot_without_a_checksum_is_not_kept(toy, tmp_path, caplog):
    path = tmp_path / "sae.safetensors"
    plan = toy_plan(toy, "topk", snapshots=2)
    plan.run(path)
    snapshot = sorted((tmp_path / "snapshots").iterdir())[0]
    expected = path.read_bytes(), snapshot.read_bytes()
    for old in (path, snapshot):
        as_version_2(old)
        SaeCheckpoint(old).load()
        assert f"{old} has format version 2, without a checksum" in caplog.text
        plan.run(path)
        assert (path.read_bytes(), snapshot.read_bytes()) == expected


def test_another_configuration_ignores_the_state_and_says_so(toy, tmp_path, caplog):
    path = tmp_path / "sae.safetensors"
    plan = toy_plan(toy, "topk")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        kill_after(patch, 5)
        plan.run(path)
    (state,) = tmp_path.glob(".training-*.pt")
    other = replace(plan, trainer=plan.trainer.model_copy(update={"learning_rate": 1e-3}))
    other.run(path)
    assert "unfinished trainings of other settings" in caplog.text and state.name in caplog.text
    assert state.exists()
    assert SaeCheckpoint(path).metadata["training"]["n_steps"] == 12
    assert made_by(path) == other.fingerprint != plan.fingerprint


@pytest.mark.parametrize("damage", [cut, flipped(0.3), flipped(0.6), flipped(0.99)])
def test_a_damaged_state_is_not_resumed(toy, tmp_path, damage, caplog):
    path, straight = tmp_path / "sae.safetensors", tmp_path / "straight/sae.safetensors"
    plan = toy_plan(toy, "topk")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        kill_after(patch, 5)
        plan.run(path)
    (state,) = tmp_path.glob(".training-*.pt")
    damage(state)
    plan.run(path)
    assert f"{state} is damaged: training starts from the beginning" in caplog.text
    plan.run(straight)
    assert path.read_bytes() == straight.read_bytes()


@pytest.mark.parametrize("damage", [Path.unlink, flipped(0.1), flipped(0.9)])
def test_damaged_snapshots_are_made_again(toy, tmp_path, damage):
    """Of a finished training, and of one that resumes."""
    straight, path = tmp_path / "straight/sae.safetensors", tmp_path / "sae.safetensors"
    plan = toy_plan(toy, "topk")
    plan = replace(plan, trainer=plan.trainer.model_copy(update={"snapshots": 4}))
    plan.run(straight)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        kill_after(patch, 8)
        plan.run(path)
    damage(min(tmp_path.glob(".snapshots-*/*")))
    plan.run(path)
    assert_same_snapshots(tmp_path, tmp_path / "straight")
    damage(max(tmp_path.glob("snapshots/*")))
    plan.run(path)
    assert_same_snapshots(tmp_path, tmp_path / "straight")


def assert_same_snapshots(one: Path, other: Path) -> None:
    assert len(list(other.glob("snapshots/*"))) == 4
    for pattern in ("sae.safetensors", "snapshots/*"):
        found, expected = ({p.name: p.read_bytes() for p in folder.glob(pattern)} for folder in (one, other))
        assert found == expected


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_damaged_checkpoint_is_made_again(toy, tmp_path, share):
    path = tmp_path / "sae.safetensors"
    plan = toy_plan(toy, "topk")
    plan.run(path)
    whole = path.read_bytes()
    flipped(share)(path)
    assert path.read_bytes() != whole
    plan.run(path)
    assert path.read_bytes() == whole


def test_a_loss_that_is_not_finite_after_a_resume_names_the_proteins(toy, tmp_path):
    path = tmp_path / "sae.safetensors"
    plan = toy_plan(toy, "topk")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        kill_after(patch, 6)
        plan.run(path)
    with pytest.MonkeyPatch.context() as patch:
        batch = Trainer._batch
        patch.setattr(Trainer, "_batch", lambda *given: replace(batch(*given), x=batch(*given).x * torch.nan))
        with pytest.raises(InputError, match=r"stopped at step 3: .* is nan.*proteins: P0\d\d, "):
            plan.run(path)


def test_every_part_of_a_plan_counts(toy, monkeypatch):
    plan = toy_plan(toy, "protsae")
    assert plan.fingerprint == toy_plan(ToyProteins(), "protsae").fingerprint
    proteins = plan.source.proteins
    moved = proteins.assign(split=proteins["split"].where(proteins["protein_id"] != "P050", "train"))
    tested = proteins.assign(split=proteins["split"].replace("test", "excluded"))
    tables = plan.knowledge.tables
    store = SimpleNamespace(**vars(plan.source.store) | {"fingerprint": lambda: "other activations"})
    others: list[TrainingPlan] = [
        replace(plan, source=plan.source._replace(store=store)),
        replace(plan, architecture="topk"),
        replace(plan, size=plan.size._replace(seed=1)),
        replace(plan, source=plan.source._replace(hook_point="final_norm")),
        replace(plan, source=plan.source._replace(proteins=moved)),
        replace(plan, trainer=plan.trainer.model_copy(update={"patience": 3})),
        replace(plan, trainer=plan.trainer.model_copy(update={"snapshots": 3})),
        replace(plan, settings={"guidance": {"detach": False}}),
        replace(plan, knowledge=plan.knowledge._replace(axioms=plan.knowledge.axioms.head(1))),
        replace(
            plan,
            knowledge=plan.knowledge._replace(
                tables=replace(tables, protein_labels=tables.protein_labels.iloc[1:])
            ),
        ),
    ]
    assert len({plan.fingerprint, *(other.fingerprint for other in others)}) == 1 + len(others)
    same = [
        replace(plan, source=plan.source._replace(proteins=tested)),
        replace(plan, trainer=plan.trainer.model_copy(update={"save_every": 7, "log_every": 2})),
    ]
    assert {other.fingerprint for other in same} == {plan.fingerprint}
    before = plan.fingerprint
    monkeypatch.setattr(run_module, "version", lambda library: "another")
    assert plan.fingerprint != before


CHILD = """
import os, signal, sys
from pathlib import Path
from protsae.training.trainer import Trainer
from tests.damaged_files import cut, flipped
from tests.training.conftest import ToyProteins, toy_plan

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored
original = Trainer._count
def counted(self, *arguments):
    result = original(self, *arguments)
    if self._step == 5:
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    return result
Trainer._count = counted
toy_plan(ToyProteins(), "protsae").run(Path(sys.argv[1]))
"""


@pytest.mark.parametrize(("name", "saved"), [("SIGKILL", 3), ("SIGTERM", 5), ("SIGINT", 5)])
def test_a_process_that_is_ended_goes_on(toy, name, saved, straight, tmp_path):
    """kill -9 costs what came after the last saved state, SIGTERM and Ctrl-C nothing."""
    path = tmp_path / "sae.safetensors"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), name],
        env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -getattr(signal, name), done.stderr
    (state,) = tmp_path.glob(".training-*.pt")
    assert torch.load(state, weights_only=True)["state"]["step"] == saved
    if name != "SIGKILL":
        assert f"{name}: training stopped after step 5 of 12; its state is in {state}" in done.stderr
    toy_plan(toy, "protsae").run(path)
    assert_same(tmp_path, straight["protsae"])


def test_live_metrics_follow_the_steps_and_agree_with_the_final_table(straight):
    folder = straight["protsae"]
    lines = [json.loads(line) for line in (folder / LIVE_NAME).read_text().splitlines()]
    train = [line for line in lines if line["split"] == "train"]
    assert [line["step"] for line in train] == [2, 4, 6, 8, 10, 12]
    assert train[0].keys() >= {"loss/total", "loss/annotation", "l0", "dead_share", "gradient_norm"}
    looks = [line for line in lines if line["split"] == "validation"]
    assert [line["step"] for line in looks] == [4, 8, 12]
    assert looks[0].keys() >= {
        "fve", "l0", "dead_share", "gate_rate", "defined_participation", "mean_lift", "axiom_violation",
        "subsumption_auc",
    }  # fmt: skip
    log = log_of(SaeCheckpoint(folder / "sae.safetensors"))
    total = log[(log["split"] == "train") & (log["term"] == "loss/total") & (log["epoch"] == 1)]["value"]
    assert total.item() == pytest.approx((train[2]["loss/total"] + train[3]["loss/total"]) / 2, rel=1e-12)
    fve = log[(log["split"] == "validation") & (log["term"] == "fve")]["value"]
    assert fve.tolist() == [look["fve"] for look in looks]


def test_live_metrics_are_read_as_a_log_while_a_line_is_being_written(straight, tmp_path):
    text = (straight["protsae"] / LIVE_NAME).read_text()
    path = tmp_path / LIVE_NAME
    path.write_text(text + text[:40])
    table = read_live(path)
    log = log_of(SaeCheckpoint(straight["protsae"] / "sae.safetensors"))
    fve = [frame.query("term == 'fve' and split == 'validation'") for frame in (table, log)]
    assert fve[0].to_numpy().tolist() == fve[1].to_numpy().tolist()
    assert table.query("split == 'train'")["step"].max() == 12
    with pytest.raises(InputError, match="no training has written it"):
        read_live(tmp_path / "none")


def test_damaged_live_metrics_stop_no_training_and_are_refused_by_name(tmp_path):
    live = LiveLog(tmp_path / LIVE_NAME)
    live.write(1, 0, "train", {"l0": 4.0})
    for line in (b'{"step": \xb1}\n', b"{}\n", b"[1]\n", b'{"step"\n'):
        live.path.write_bytes(line)
        with pytest.raises(InputError, match=rf"{re.escape(str(live.path))} is damaged"):
            read_live(live.path)
        live.go_on(1)
    assert live.n_lines == 1


def test_live_metrics_are_drawn_as_curves_and_null_is_no_value(straight, tmp_path):
    live = LiveLog(tmp_path / LIVE_NAME)
    live.write(1, 0, "validation", {"fve": 0.5, "auc/latent": float("nan")})
    assert json.loads(live.path.read_text())["auc/latent"] is None
    table = read_live(live.path).set_index("term")["value"]
    assert table["fve"] == 0.5 and pd.isna(table["auc/latent"])
    log = read_live(straight["topk"] / LIVE_NAME)
    figure = training_curves({"topk": log}, Dictionaries({"topk": "topk"}, "topk"))
    fve = log[(log["term"] == "fve") & (log["split"] == "validation")]
    drawn = [trace for trace in figure.data if list(trace.y) == fve["value"].round(6).tolist()]
    assert drawn and list(drawn[0].x) == fve["step"].tolist()


def test_patience_ends_training_also_after_a_resume(toy, tmp_path, monkeypatch):
    figures = [0.5, 0.6, 0.55, 0.58, 0.7, 0.8]
    monkeypatch.setattr(validation, "_measure", lambda *_: {"fve": figures[len(seen)]})
    original = Trainer._end_epoch
    seen: list[int] = []

    def counted(self, files):
        seen[:] = range(self._epoch)
        original(self, files)

    monkeypatch.setattr(Trainer, "_end_epoch", counted)
    plan = toy_plan(toy, "topk", epochs=6, patience=2)
    plan.run(tmp_path / "sae.safetensors")
    training = SaeCheckpoint(tmp_path / "sae.safetensors").metadata["training"]
    assert (training["n_epochs"], training["n_steps"], training["chosen_epoch"]) == (4, 16, 1)
    other = tmp_path / "killed/sae.safetensors"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        kill_after(patch, 15)
        plan.run(other)
    plan.run(other)
    assert other.read_bytes() == (tmp_path / "sae.safetensors").read_bytes()


def test_a_log_with_values_that_do_not_exist_comes_back(toy, tmp_path):
    plan = toy_plan(toy, "protsae")
    tables = plan.knowledge.tables
    nobody = replace(tables, protein_labels=tables.protein_labels.iloc[:0])  # no AUC without positives
    with pytest.raises(InputError, match="no epoch has a finite validation fve"):
        replace(plan, knowledge=plan.knowledge._replace(tables=nobody)).run(tmp_path / "sae.safetensors")
    row = (4, 0, "validation", "auc/latent")
    log = pd.DataFrame([(*row, float("nan")), (*row, 0.25)], columns=list(trainer_module.LOG_COLUMNS))
    rows = run_module._log_rows(log)
    assert json.loads(json.dumps(rows, allow_nan=False)) == [[*row, None], [*row, 0.25]]
    handle = SimpleNamespace(metadata={"log": rows}, path=tmp_path)
    pd.testing.assert_frame_equal(log_of(handle), log)
    with pytest.raises(InputError, match="has no training log"):
        log_of(SimpleNamespace(metadata={}, path=tmp_path))


def test_settings_that_change_no_result_are_out_of_the_settings():
    assert TrainerConfig().settings_json() == TrainerConfig(save_every=1, log_every=1).settings_json()
    assert TrainerConfig().settings_json() != TrainerConfig(epochs=1).settings_json()
