"""The path that a GPU takes, as far as it shows without one."""

import pytest
import torch
from tests.plm.tiny_esm2 import (
    N_LAYERS,
    fair_esm_activations,
    random_sequences,
    tiny_esm2,
    tiny_model,
    worst_difference,
)
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from protsae.plm.forward import LOGITS, Esm2Forward
from protsae.plm.hook_points import LAYER_KINDS
from protsae.plm.patching import Patch

EVERY_POINT = [f"layers.{i}.{kind}" for i in range(N_LAYERS) for kind in LAYER_KINDS] + ["final_norm"]
LENGTHS = [1, 2, 30, 30, 30, 64, 300, 30]


def test_every_hook_point_equals_fair_esm_on_each_protein_alone(tmp_path):
    sequences = random_sequences(LENGTHS)
    forward = Esm2Forward(tiny_model(tmp_path), EVERY_POINT, attention="sdpa")
    ours = forward.run(sequences)
    theirs = [fair_esm_activations(tiny_esm2(), [sequence]) for sequence in sequences]
    for name in EVERY_POINT:
        assert worst_difference(ours[name], torch.cat([one[name] for one in theirs])) < 3e-6, name


def test_adjacent_equal_lengths_are_one_call_without_padding(tmp_path, monkeypatch):
    seen = []
    plain = functional.scaled_dot_product_attention

    def spy(q, k, v, **named):
        seen.append((tuple(q.shape), q.dtype))
        assert set(named) == {"scale"}
        return plain(q, k, v, **named)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", spy)
    model = tiny_model(tmp_path)
    Esm2Forward(model, ["layers.0.attn_out"], attention="sdpa").run(random_sequences(LENGTHS))
    sizes = [(1, 3), (1, 4), (3, 32), (1, 66), (1, 302), (1, 32)]
    assert seen == [((n, 4, size, 6), torch.float32) for n, size in sizes]
    seen.clear()
    Esm2Forward(model, ["layers.0.attn_out"], "bfloat16", attention="sdpa").run(random_sequences([5]))
    assert seen == [((1, 4, 7, 6), torch.bfloat16)]  # what flash kernels take


def test_bfloat16_is_near(tmp_path):
    sequences = random_sequences([50, 300])
    model = tiny_model(tmp_path)
    exact = Esm2Forward(model, ["final_norm"]).run(sequences)["final_norm"]
    ours = Esm2Forward(model, ["final_norm"], "bfloat16", attention="sdpa").run(sequences)["final_norm"]
    assert ours.dtype == torch.float32
    assert 1e-4 < float((ours - exact).norm() / exact.norm()) < 0.05


class OneDevice(TorchDispatchMode):
    """Refuse operands on two devices, as a GPU does; let results come back from `meta`, as zeros."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor) and one.ndim]
        if len({one.device.type for one in tensors}) > 1:
            pytest.fail(f"{operation} is given tensors on two devices")
        is_copy = operation is torch.ops.aten._to_copy.default
        if is_copy and args[0].device.type == "meta" and kwargs.get("device") == torch.device("cpu"):
            return torch.zeros(args[0].shape, dtype=args[0].dtype)
        return operation(*args, **kwargs)


@pytest.mark.parametrize("arithmetic", ["fair_esm", "bfloat16"])
def test_all_operands_are_on_the_device_and_results_come_back(tmp_path, arithmetic):
    """The device `meta` computes nothing but tracks where tensors are."""
    model, sequences = tiny_model(tmp_path), random_sequences([5, 5, 9])
    devices = []
    patch = Patch(lambda value: devices.append(value.device.type) or value * 2)
    with OneDevice():
        forward = Esm2Forward(model, EVERY_POINT, arithmetic, "meta")
        found = forward.run(sequences, {"layers.1.resid_mid": patch}, logits=True)
    assert devices == ["meta"]
    assert {name: tuple(one.shape) for name, one in found.items()} == {
        **dict.fromkeys(EVERY_POINT, (19, 24)), LOGITS: (19, 33),
    }  # fmt: skip
    assert {one.device.type for one in found.values()} == {"cpu"}
    assert {one.device.type for one in model.module.parameters()} == {"cpu"}  # the model itself stays
