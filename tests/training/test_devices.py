"""Devices and arithmetic: refused with a way out where they are not there."""

import numpy as np
import pytest
import torch
from tests.training.conftest import toy_plan
from torch.utils._pytree import tree_leaves

from protsae.core import devices
from protsae.core.devices import autocast, pick_device
from protsae.core.errors import InputError
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.training import validation
from protsae.training.plan import log_of
from protsae.training.trainer import Trainer

CPU = torch.device("cpu")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto", "x") == pick_device("cpu", "x") == CPU
    with pytest.raises(InputError, match=r"training\.device is cuda, but torch finds no GPU: set it to auto"):
        pick_device("cuda", "training.device")


def test_auto_takes_the_gpu_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto", "x") == pick_device("cuda", "x") == torch.device("cuda")
    assert pick_device("cpu", "x") == CPU


def test_bfloat16_without_instructions_for_it_is_refused(monkeypatch, toy, tmp_path):
    monkeypatch.setattr(devices, "has_bfloat16", lambda device: False)
    with pytest.raises(
        InputError, match=r"trainer\.dtype is bfloat16, but this processor has no instr.*float32"
    ):
        toy_plan(toy, "topk", dtype="bfloat16").run(tmp_path / "sae.safetensors")
    autocast("float32", CPU, "x")


@pytest.mark.parametrize("architecture", ["topk", "protsae"])
def test_bfloat16_trains_to_nearly_the_same_loss(monkeypatch, toy, tmp_path, architecture):
    monkeypatch.setattr(devices, "has_bfloat16", lambda device: True)
    found = []
    for dtype in ("float32", "bfloat16"):
        path = tmp_path / f"{dtype}.safetensors"
        toy_plan(toy, architecture, dtype=dtype).run(path)
        log = log_of(SaeCheckpoint(path))
        found.append(log.loc[log["term"] == "loss/reconstruction", "value"].to_numpy())
    assert np.abs(found[0] - found[1]).max() < 0.02
    assert not np.array_equal(*found)


def test_weights_optimiser_and_validation_stay_float32(monkeypatch, toy, tmp_path):
    monkeypatch.setattr(devices, "has_bfloat16", lambda device: True)
    measure, state_of = validation._measure, Trainer._state
    reduced, states = [], []
    monkeypatch.setattr(
        validation,
        "_measure",
        lambda *given: reduced.append(torch.is_autocast_enabled("cpu")) or measure(*given),
    )
    monkeypatch.setattr(Trainer, "_state", lambda *given: states.append(state_of(*given)) or states[-1])
    toy_plan(toy, "protsae", dtype="bfloat16", save_every=1).run(tmp_path / "sae.safetensors")
    assert reduced and not any(reduced)
    kept = [
        t for t in tree_leaves([states[-1][name] for name in ("module", "optimiser")]) if torch.is_tensor(t)
    ]
    assert {t.dtype for t in kept if t.is_floating_point()} == {torch.float32}


@pytest.mark.gpu
@pytest.mark.parametrize("architecture", ["topk", "protsae"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-3), ("bfloat16", 0.05)])
def test_a_gpu_trains_to_the_loss_of_the_cpu(toy, tmp_path, architecture, dtype, tolerance):
    found = []
    for device, its_dtype in (("cpu", "float32"), ("cuda", dtype)):
        path = tmp_path / f"{device}.safetensors"
        toy_plan(toy, architecture, dtype=its_dtype, device=device).run(path)
        log = log_of(SaeCheckpoint(path))
        found.append(log.loc[log["term"] == "loss/total", "value"].to_numpy())
    np.testing.assert_allclose(*found, rtol=tolerance)
