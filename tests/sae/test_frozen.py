"""Dictionaries with one half frozen: what stays, what learns, and that nothing else sets them apart."""

from dataclasses import replace

import pytest
import torch
from tests.sae.steps import train

from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.config import CONFIGS, shaped_config
from protsae.sae.registry import build
from protsae.training.optimiser import SaeAdam

FROZEN = {"frozen_decoder": "W_dec", "frozen_encoder": "encoder"}
PARAMETERS = {"W_dec", "encoder", "b_dec", "b_enc"}


def built(architecture, seed=0):
    """As the trainer gets it, in float32."""
    config = shaped_config(CONFIGS[architecture], {}, d_model=6, d_sae=16, k=3)
    return build(config, torch.Generator().manual_seed(seed))


@pytest.fixture(params=FROZEN)
def architecture(request):
    return request.param


@pytest.fixture
def floats(batch):
    return replace(batch, x=batch.x.float(), dead=torch.arange(16) >= 12)


def test_it_starts_as_topk_does(architecture):
    sae, topk = built(architecture), built("topk")
    assert all(torch.equal(tensor, topk.state_dict()[name]) for name, tensor in sae.state_dict().items())
    assert torch.equal(sae.encoder, sae.W_dec.T)
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(16))
    assert not torch.equal(sae.W_dec, built(architecture, seed=1).W_dec)


def test_a_step_is_that_of_topk_without_the_frozen_gradient(architecture, floats):
    """Dead latents included: AuxK moves what is not frozen."""
    gradients = {}
    for name in (architecture, "topk"):
        sae = built(name)
        sae.step_output(floats).losses["loss/total"].backward()
        gradients[name] = {key: p.grad for key, p in sae.named_parameters()}
    assert gradients[architecture].pop(FROZEN[architecture]) is None
    expected = gradients["topk"]
    assert expected.pop(FROZEN[architecture]).abs().max() > 0
    assert set(expected) == PARAMETERS - {FROZEN[architecture]}
    for key, gradient in expected.items():
        torch.testing.assert_close(gradients[architecture][key], gradient)


@pytest.mark.parametrize("compiled", [True, False])
def test_training_leaves_every_bit_of_the_frozen_half(architecture, compiled, floats, monkeypatch, tmp_path):
    if not compiled:
        monkeypatch.setattr("protsae.training.optimiser.is_compiled_for", lambda *_: False)
    sae = built(architecture)
    before = {name: tensor.clone() for name, tensor in sae.state_dict().items()}
    optimiser = SaeAdam(sae)
    for group in optimiser.param_groups:
        group["lr"] = 1e-2
    for _ in range(20):
        optimiser.zero_grad()
        sae.step_output(floats).losses["loss/total"].backward()
        optimiser.finish_step(clip_norm=1.0)
    after = sae.state_dict()
    assert {name for name in PARAMETERS if torch.equal(after[name], before[name])} == {FROZEN[architecture]}
    save_sae(sae, tmp_path / "sae", {"seed": 0})
    loaded = SaeCheckpoint(tmp_path / "sae").load()
    assert torch.equal(loaded.get_parameter(FROZEN[architecture]), before[FROZEN[architecture]])
    trainable = {name for name, p in loaded.named_parameters() if p.requires_grad}
    assert trainable == PARAMETERS - {FROZEN[architecture]}


def test_at_most_k_latents_fire(architecture, floats):
    sae = built(architecture).double()
    batch = replace(floats, x=floats.x.double())
    train(sae, [batch] * 20)
    active = (sae.encode(batch.x) > 0).sum(dim=1)
    assert active.max() == 3


def test_all_that_learns_reconstructs_best(make_unguided, batch):
    """With one seed and as many steps, either half alone does worse than both."""
    left = {}
    for architecture in ("topk", *FROZEN):
        sae = make_unguided(architecture)
        left[architecture] = float(train(sae, [batch] * 150)[-1].losses["loss/reconstruction"].detach())
    assert left["topk"] < 0.8 * min(left["frozen_decoder"], left["frozen_encoder"])
