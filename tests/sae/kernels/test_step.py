"""Whole training steps: sparse ones against dense ones with dense Adam."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from protsae.sae.base import SparseAutoencoder, TrainingBatch
from protsae.sae.codes import SparseCodes
from protsae.sae.losses import auxk_loss, reconstruction_loss
from protsae.sae.topk import TopKSae
from protsae.training import optimiser as optimiser_module
from protsae.training.optimiser import SaeAdam
from protsae.training.threads import torch_threads


def _dense_total(sae: TopKSae, batch: TrainingBatch) -> torch.Tensor:
    """The loss by dense products, with nothing of the kernels."""
    scaled = (batch.x - sae.input_mean) * sae.input_scale
    pre_acts = scaled @ sae.encoder + sae.b_enc
    values, columns = pre_acts.topk(sae.config.k, dim=1)
    x_hat = SparseCodes(functional.relu(values), columns).dense(sae.config.d_sae) @ sae.W_dec + sae.b_dec
    aux = auxk_loss(scaled - x_hat, pre_acts, sae.W_dec, batch.dead)
    return reconstruction_loss(x_hat, scaled) + sae.config.aux_coefficient * aux


def _dense_step(sae: SparseAutoencoder, optimiser: torch.optim.Adam, clip_norm: float = 1.0) -> float:
    """What follows the backward pass, by torch alone."""
    sae.project_decoder_gradient()
    norm = torch.nn.utils.clip_grad_norm_([p for p in sae.parameters() if p.requires_grad], clip_norm)
    optimiser.step()
    sae.normalise_decoder()
    return float(norm)


@pytest.mark.parametrize("n_dead", [0, 5])
def test_twenty_steps_equal_dense_ones(make_topk, batch, n_dead):
    sparse, dense = make_topk(), make_topk()
    optimisers = SaeAdam(sparse), torch.optim.Adam(dense.parameters(), lr=1e-2)
    dead = torch.arange(16) < n_dead
    moved = sparse.encoder.detach().clone()
    for step in range(20):
        x = batch.x + torch.randn(batch.x.shape, generator=torch.Generator().manual_seed(step)).double()
        now = replace(batch, x=x, dead=dead)
        losses = sparse.step_output(now).losses["loss/total"], _dense_total(dense, now)
        torch.testing.assert_close(*losses, rtol=1e-6, atol=0)
        for optimiser, loss in zip(optimisers, losses, strict=True):
            optimiser.param_groups[0]["lr"] = 1e-2
            optimiser.zero_grad()
            loss.backward()
        norms = optimisers[0].finish_step(1.0), _dense_step(dense, optimisers[1])
        assert norms[0] == pytest.approx(norms[1], rel=1e-9)
    assert (sparse.encoder - moved).abs().max() > 0.05
    for (name, one), other in zip(sparse.named_parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6, msg=name)


def _steps(sae, optimiser, finish, n_steps=6, clip_norm=1.0):
    """Random gradients, the decoder's of growing size, one of them with rows of zeros; return the norms."""
    norms = []
    for step in range(n_steps):
        generator = torch.Generator().manual_seed(step)
        for group in optimiser.param_groups:
            group["lr"] = 0.05 / (step + 1)
        for parameter in sae.parameters():
            if parameter.requires_grad:
                gradient = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.grad = gradient.to(parameter.dtype) * 0.1 * step
                if parameter is sae.W_dec:
                    parameter.grad[::3] = 0
        norms.append(finish(clip_norm))
    return norms


@pytest.fixture(params=["topk", "relu", "relu/free_rows", "protsae", "protsae/free_rows"])
def make_pair(request, make_unguided, make_protsae):
    """Two equal modules, those with free rows too."""
    architecture, _, free = request.param.partition("/")
    if architecture == "protsae":
        make = lambda: make_protsae(unit_decoder=not free)  # noqa: E731
    else:
        settings = {"decoder_norm": "in_penalty"} if free else {}
        make = lambda: make_unguided(architecture, **settings)  # noqa: E731
    return make(), make()


@pytest.mark.parametrize("clip_norm", [1.0, 1e9])
def test_an_update_equals_torchs(make_pair, clip_norm):
    sae, reference = make_pair
    start = sae.W_dec.detach().clone()
    optimiser = SaeAdam(sae)
    plain = torch.optim.Adam([p for p in reference.parameters() if p.requires_grad])
    norms = _steps(sae, optimiser, optimiser.finish_step, clip_norm=clip_norm)
    expected = _steps(reference, plain, lambda clip: _dense_step(reference, plain, clip), clip_norm=clip_norm)
    assert norms == pytest.approx(expected, rel=1e-12)
    for (name, one), other in zip(sae.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-13, msg=name)
    assert (sae.W_dec - start).abs().max() > 0.01


def test_formats_without_compiled_loops_take_torchs_way(make_topk, monkeypatch):
    sae, reference = make_topk(), make_topk()
    optimiser, other = SaeAdam(sae), SaeAdam(reference)
    norms = _steps(sae, optimiser, optimiser.finish_step)
    monkeypatch.setattr(optimiser_module, "is_compiled_for", lambda parameter: False)
    assert _steps(reference, other, other.finish_step) == pytest.approx(norms, rel=1e-12)
    torch.testing.assert_close(sae.W_dec, reference.W_dec, rtol=1e-12, atol=1e-13)


def test_float32_updates_are_those_of_float64_to_rounding(make_topk):
    sae, reference = make_topk().float(), make_topk()
    for module in (sae, reference):
        optimiser = SaeAdam(module)
        _steps(module, optimiser, optimiser.finish_step)
    torch.testing.assert_close(sae.W_dec.double(), reference.W_dec, rtol=1e-4, atol=2e-6)


def test_updates_do_not_depend_on_threads(make_topk):
    found = []
    for n_threads in (1, 2, 3):
        sae = make_topk().float()
        optimiser = SaeAdam(sae)
        with torch_threads(n_threads):
            norms = _steps(sae, optimiser, optimiser.finish_step)
        found.append((norms, sae.state_dict()))
    for norms, state in found[1:]:
        assert norms == found[0][0]
        assert all(torch.equal(value, found[0][1][name]) for name, value in state.items())


def test_a_gradient_that_is_no_number_is_not_hidden(make_topk):
    sae = make_topk()
    optimiser = SaeAdam(sae)
    for parameter in sae.parameters():
        parameter.grad = torch.ones_like(parameter)
    sae.b_enc.grad[3] = torch.nan
    assert math.isnan(optimiser.finish_step(1.0))
    assert sae.W_dec.isnan().all()


def test_memory_of_other_strides_is_rearranged(make_topk):
    """A gradient may come in another layout than its parameter's."""
    sae, reference = make_topk(), make_topk()
    for module in (sae, reference):
        module.encoder.grad = torch.arange(96, dtype=torch.float64).reshape(6, 16)
    sae.encoder.grad = sae.encoder.grad.T.contiguous().T
    for module in (sae, reference):
        SaeAdam(module).finish_step(1.0)
    assert torch.equal(sae.encoder, reference.encoder)
