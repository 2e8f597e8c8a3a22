"""What never ran on its hardware says so, once per process."""

import sys
import warnings

import pytest
import torch

from protsae.core import experimental
from protsae.core.devices import pick_device
from protsae.core.experimental import ExperimentalWarning, warn_experimental
from protsae.plm.arithmetic import choose_device
from protsae.sae.kernels import functions, plain


@pytest.fixture(autouse=True)
def _nothing_warned(monkeypatch):
    monkeypatch.setattr(experimental, "_warned", set())


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


def caught(action):
    """Return the experimental warnings of an action."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        action()
    return [str(one.message) for one in found if one.category is ExperimentalWarning]


def test_each_part_is_warned_of_once():
    assert len(caught(lambda: warn_experimental("One thing"))) == 1
    assert caught(lambda: warn_experimental("One thing")) == []
    assert caught(lambda: warn_experimental("Another"))[0].startswith("Another is experimental")


@pytest.mark.usefixtures("gpu")
def test_computing_on_a_gpu_is_warned_of_once_for_each_setting():
    first = caught(lambda: pick_device("auto", "training.trainer.device"))
    assert len(first) == 1
    assert "Computing on a GPU (training.trainer.device)" in first[0]
    assert caught(lambda: pick_device("cuda", "training.trainer.device")) == []
    assert "extraction.device" in caught(lambda: choose_device("auto", "fair_esm"))[0]
    assert caught(lambda: pick_device("cpu", "another.device")) == []


def test_without_a_gpu_nothing_is_warned_of(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert caught(lambda: (pick_device("auto", "x"), choose_device("auto", "fair_esm"))) == []


class OnGpu:
    """As much of a tensor on a GPU as the choice of kernels looks at."""

    dtype, device = torch.float32, torch.device("cuda")


def test_triton_s_kernels_are_warned_of_once(monkeypatch):
    monkeypatch.setattr(functions, "_has_triton", lambda: True)
    monkeypatch.setitem(sys.modules, "protsae.sae.kernels.gpu", plain)
    assert "sae.kernels.gpu" in caught(lambda: functions.backend(OnGpu()))[0]
    assert caught(lambda: functions.backend(OnGpu())) == []
    monkeypatch.setattr(functions, "_has_triton", lambda: False)
    monkeypatch.setattr(experimental, "_warned", set())
    assert caught(lambda: functions.backend(OnGpu())) == []
