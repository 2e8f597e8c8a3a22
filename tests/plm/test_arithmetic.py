"""Where the forward pass runs, and what is refused."""

import pytest
import torch

from protsae.core.errors import InputError
from protsae.plm.arithmetic import choose_device


@pytest.fixture
def machine(monkeypatch):
    """Return a function that makes this machine look like one with or without a GPU, and bfloat16 on each."""

    def look(*, gpu, cpu_bfloat16=True, gpu_bfloat16=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: gpu_bfloat16)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: cpu_bfloat16)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)

    return look


@pytest.mark.parametrize(
    ("gpu", "asked", "chosen"),
    [
        (False, "auto", "cpu"),
        (False, "cpu", "cpu"),
        (True, "auto", "cuda"),
        (True, "cpu", "cpu"),
        (True, "cuda", "cuda"),
    ],
)
def test_a_gpu_is_taken_where_there_is_one_and_it_is_not_unwanted(machine, gpu, asked, chosen):
    machine(gpu=gpu)
    assert choose_device(asked, "fair_esm") == torch.device(chosen)


def test_a_gpu_that_is_not_there_is_an_error_and_not_a_slow_run(machine):
    machine(gpu=False)
    with pytest.raises(InputError, match=r"device is cuda, but torch finds no GPU: set it to auto or cpu"):
        choose_device("cuda", "fair_esm")


@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_bfloat16_is_refused_where_the_hardware_lacks_it(machine, where):
    machine(gpu=True, cpu_bfloat16=where != "cpu", gpu_bfloat16=where != "cuda")
    with pytest.raises(InputError, match=rf"bfloat16, which this machine's {where} has no instructions for"):
        choose_device(where, "bfloat16")
    assert choose_device(where, "fair_esm") == torch.device(where)
    other = "cuda" if where == "cpu" else "cpu"
    assert choose_device(other, "bfloat16") == torch.device(other)
