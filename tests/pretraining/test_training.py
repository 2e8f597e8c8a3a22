"""Training: it learns, continues exactly, keeps the best, and its file is what `load_plm` reads."""

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests.damaged_files import flipped
from tests.pretraining.conftest import planted, protein_table, random_proteins, toy_plan

from protsae.core.errors import InputError
from protsae.plm import load_plm
from protsae.plm.forward import Esm2Forward
from protsae.pretraining import trainer as trainer_module
from protsae.pretraining.checkpoint import read_plm_header, save_plm
from protsae.pretraining.config import PerplexityConfig, PretrainerConfig, ShapeConfig
from protsae.pretraining.evaluation import masked_scores, residue_frequencies, summarise
from protsae.pretraining.model import build_module
from protsae.pretraining.plan import plan_pretraining
from protsae.pretraining.trainer import Pretrainer

pytestmark = pytest.mark.end_to_end

CPU = torch.device("cpu")


@pytest.fixture
def proteins() -> pd.DataFrame:
    return protein_table(random_proteins(20, 0), random_proteins(6, 1), random_proteins(6, 2))


@pytest.fixture
def plan(proteins, shape, small):
    return plan_pretraining(proteins, shape, small, seed=0)


class KilledError(Exception):
    """Stands for `kill -9`."""


def kill_at(monkeypatch, step: int) -> None:
    """Raise in place of training step `step`."""
    original = Pretrainer._train_step

    def train_step(self):
        if self._step == step:
            raise KilledError
        original(self)

    monkeypatch.setattr(Pretrainer, "_train_step", train_step)


def test_planted_rule_is_learned_and_beats_the_floor(tmp_path):
    config = PretrainerConfig(
        steps=250, tokens_per_batch=1024, max_residues=30, validate_every=50, learning_rate=1e-2, device="cpu"
    )
    train, validation, test = planted(400, 0), planted(20, 1), planted(20, 2)
    shape = ShapeConfig(n_layers=1, d_model=64, n_heads=4)
    path = tmp_path / "plm.safetensors"
    plan_pretraining(protein_table(train, validation, test), shape, config, seed=0).run(path)
    scores = masked_scores(load_plm(path).module, test, PerplexityConfig(), CPU)
    figures = summarise(scores, residue_frequencies(train), (128,))
    assert figures["floor_perplexity"] == pytest.approx(20, rel=0.05)
    assert figures["perplexity"] < 3


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_killed_run_continues_to_the_same_bytes(plan, tmp_path, monkeypatch, step):
    straight, resumed = tmp_path / "a/plm.safetensors", tmp_path / "b/plm.safetensors"
    plan.run(straight)
    with monkeypatch.context() as patch:
        kill_at(patch, step)
        with pytest.raises(KilledError):
            plan.run(resumed)
    assert not resumed.exists() and len(list(resumed.parent.iterdir())) == 1
    with monkeypatch.context() as patch:
        kill_at(patch, step - 1)  # a step that was saved is not made again
        plan.run(resumed)
    assert straight.read_bytes() == resumed.read_bytes()
    assert [path.name for path in resumed.parent.iterdir()] == ["plm.safetensors"]


def test_a_finished_training_is_not_repeated_and_another_is(
    plan, proteins, small, shape, tmp_path, monkeypatch
):
    path = tmp_path / "plm.safetensors"
    plan.run(path)
    kill_at(monkeypatch, 0)
    plan.run(path)
    for other in (
        plan_pretraining(proteins, shape, small, seed=1),
        plan_pretraining(proteins, shape, small.model_copy(update={"learning_rate": 1e-3}), seed=0),
        plan_pretraining(proteins.iloc[1:], shape, small, seed=0),
    ):
        with pytest.raises(KilledError):
            other.run(path)


def test_another_training_s_state_is_named_and_left_alone(
    plan, proteins, small, shape, tmp_path, monkeypatch, caplog
):
    path = tmp_path / "plm.safetensors"
    with monkeypatch.context() as patch:
        kill_at(patch, 3)
        with pytest.raises(KilledError):
            plan.run(path)
    (left,) = tmp_path.iterdir()
    plan_pretraining(proteins, shape, small, seed=1).run(path)
    assert left.exists() and left.name in caplog.text


def test_a_damaged_state_is_not_resumed(plan, tmp_path, monkeypatch, caplog):
    path = tmp_path / "plm.safetensors"
    with monkeypatch.context() as patch:
        kill_at(patch, 3)
        with pytest.raises(KilledError):
            plan.run(path)
    (state,) = tmp_path.iterdir()
    flipped(0.5)(state)
    plan.run(path)
    assert f"{state.name} is damaged: training starts from the beginning" in caplog.text
    plan.run(tmp_path / "straight/plm.safetensors")
    assert path.read_bytes() == (tmp_path / "straight/plm.safetensors").read_bytes()


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_damaged_model_is_made_again(plan, tmp_path, share):
    path = tmp_path / "plm.safetensors"
    plan.run(path)
    whole = path.read_bytes()
    flipped(share)(path)
    with pytest.raises(InputError, match=r"plm\.safetensors"):
        load_plm(path)
    plan.run(path)
    assert path.read_bytes() == whole


def test_test_and_excluded_proteins_never_appear_in_a_batch(proteins, shape, small, monkeypatch, tmp_path):
    seen: set[str] = set()
    original = trainer_module.Tokenizer.pack
    monkeypatch.setattr(
        "protsae.plm.tokens.Tokenizer.pack",
        lambda self, sequences: (seen.update(sequences), original(self, sequences))[1],
    )
    excluded = pd.DataFrame({"protein_id": ["x"], "sequence": ["M" * 33], "split": ["excluded"]})
    everything = pd.concat([proteins, excluded])
    long_crops = small.model_copy(update={"max_residues": 100})
    plan_pretraining(everything, shape, long_crops, seed=0).run(tmp_path / "plm.safetensors")
    allowed = proteins.loc[proteins["split"].isin(["train", "validation"]), "sequence"]
    assert seen <= set(allowed) and len(seen) > 15


def test_the_file_holds_the_weights_that_validation_chose(proteins, shape, small, tmp_path):
    values = iter([3.0, 1.0, 2.0])
    kept = []

    def validate(module):
        kept.append({name: value.clone() for name, value in module.state_dict().items()})
        return {"loss/mlm": next(values)}

    from protsae.training.state import StateFile

    pretrainer = Pretrainer(
        shape, small, proteins["protein_id"].tolist(), proteins["sequence"].tolist(),
        validate=validate, seed=0, device=CPU,
    )  # fmt: skip
    trained = pretrainer.fit(StateFile(tmp_path, "ab"))
    assert (trained.step, trained.validation) == (4, {"loss/mlm": 1.0})
    assert all(torch.equal(trained.weights[name], kept[1][name]) for name in trained.weights)
    assert not torch.equal(kept[1]["lm_head.bias"], kept[2]["lm_head.bias"])


def test_the_log_tells_train_and_validation_at_every_look(plan, tmp_path):
    plan.run(tmp_path / "plm.safetensors")
    made = read_plm_header(tmp_path / "plm.safetensors")
    log = made.log
    assert sorted(set(log["step"])) == [2, 4, 6]
    train = log[log["split"] == "train"].pivot(index="step", columns="term", values="value")
    assert list(train.columns) == ["gradient_norm", "learning_rate", "loss/mlm"]
    # no warm-up of 6 steps at a share of .05: (6, 5), (4, 3), (2, 1) sixths of the peak
    assert train["learning_rate"].tolist() == pytest.approx([3e-3 * f / 12 for f in (11, 7, 3)])
    assert train.loc[2, "loss/mlm"] == pytest.approx(math.log(33), abs=0.4)
    best = log[(log["split"] == "validation") & (log["term"] == "loss/mlm")]
    assert made.about["validation"]["loss/mlm"] == best["value"].min()


def test_a_loss_that_is_not_finite_stops_with_the_proteins(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(
        trainer_module, "masked_loss", lambda *_: torch.tensor([torch.nan], requires_grad=True)
    )
    with pytest.raises(InputError, match=r"stopped at step 0: loss/mlm is nan.*learning_rate.*train0\d\d"):
        plan.run(tmp_path / "plm.safetensors")


def test_a_split_without_proteins_and_a_foreign_letter_are_refused(proteins, shape, small):
    with pytest.raises(InputError, match="no protein is in split 'validation'"):
        plan_pretraining(proteins[proteins["split"] != "validation"], shape, small, seed=0)
    proteins.loc[0, "sequence"] = "MA*"
    with pytest.raises(InputError, match=r"protein 'train000': letter '\*' at position 3"):
        plan_pretraining(proteins, shape, small, seed=0)


def test_bfloat16_trains_to_nearly_the_same_loss(proteins, shape, small, tmp_path):
    losses = []
    for dtype in ("float32", "bfloat16"):
        config = small.model_copy(update={"dtype": dtype})
        plan_pretraining(proteins, shape, config, seed=0).run(tmp_path / f"{dtype}.safetensors")
        log = read_plm_header(tmp_path / f"{dtype}.safetensors").log
        losses.append(log.loc[(log["split"] == "train") & (log["term"] == "loss/mlm"), "value"].to_numpy())
    assert np.abs(losses[0] - losses[1]).max() < 0.02
    assert not np.array_equal(*losses)


@pytest.mark.gpu
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-3), ("bfloat16", 0.05)])
def test_a_gpu_trains_to_the_loss_of_the_cpu_and_continues(
    plan, proteins, shape, small, tmp_path, dtype, tolerance
):
    config = small.model_copy(update={"device": "cuda", "dtype": dtype})
    on_gpu = plan_pretraining(proteins, shape, config, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, 3)
        with pytest.raises(KilledError):
            on_gpu.run(tmp_path / "gpu.safetensors")
    on_gpu.run(tmp_path / "gpu.safetensors")
    plan.run(tmp_path / "cpu.safetensors")
    losses = [
        log.loc[(log["split"] == "train") & (log["term"] == "loss/mlm"), "value"].to_numpy()
        for log in (read_plm_header(tmp_path / f"{name}.safetensors").log for name in ("gpu", "cpu"))
    ]
    np.testing.assert_allclose(*losses, atol=tolerance)


def test_exported_file_loads_in_fair_esm_and_in_our_forward(shape, tmp_path):
    module = build_module(shape, 3)
    path = tmp_path / "plm.safetensors"
    save_plm(path, module.state_dict(), shape, dtype="float32", about={})
    model = load_plm(path)
    assert (model.n_layers, model.d_model, model.n_heads) == (2, 32, 4)
    sequence = "MKTAYIAKQR"
    _, _, tokens = model.module.alphabet.get_batch_converter()([("", sequence)])
    module.contact_head = None
    with torch.no_grad():
        final = module(tokens, repr_layers=[2])["representations"][2][0, 1:-1]
    ours = Esm2Forward(model, ["final_norm"]).run([sequence])["final_norm"]
    assert float(((ours - final).abs() / final.abs().clamp(min=1)).max()) < 1e-5


def test_weights_too_large_for_float16_are_refused(shape, tmp_path):
    state = build_module(shape, 0).state_dict()
    state["lm_head.bias"][0] = 1e6
    with pytest.raises(InputError, match=r"lm_head\.bias holds values that float16 does not"):
        save_plm(tmp_path / "plm.safetensors", state, shape, dtype="float16", about={})


def test_a_foreign_or_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist; train again"):
        read_plm_header(tmp_path / "none.safetensors")
    (tmp_path / "x.safetensors").write_text("<html>")
    with pytest.raises(InputError, match="no model that this pipeline made"):
        read_plm_header(tmp_path / "x.safetensors")


STOPPED = """
import os, signal, sys
from pathlib import Path
from protsae.pretraining.trainer import Pretrainer
from tests.pretraining.conftest import toy_plan

original = Pretrainer._train_step
def train_step(self):
    original(self)
    if self._step == 3:
        os.kill(os.getpid(), signal.SIGTERM)
Pretrainer._train_step = train_step
toy_plan().run(Path(sys.argv[1]))
"""


def test_sigterm_saves_the_state_and_ends_the_process(tmp_path):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    stopped, straight = tmp_path / "stopped/plm.safetensors", tmp_path / "straight/plm.safetensors"
    done = subprocess.run([sys.executable, "-c", STOPPED, str(stopped)], env=environment, check=False)
    assert done.returncode == -signal.SIGTERM
    (state,) = stopped.parent.iterdir()
    assert torch.load(state, weights_only=True)["state"]["step"] == 3
    for path in (stopped, straight):
        toy_plan().run(path)
    assert stopped.read_bytes() == straight.read_bytes()
