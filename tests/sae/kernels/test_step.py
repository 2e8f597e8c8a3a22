"""Whole training steps: sparse ones against dense ones with dense Adam."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from protsae.sae.base import TrainingBatch
from protsae.sae.losses import auxk_loss, reconstruction_loss, scatter_codes
from protsae.sae.topk import TopKSae
from protsae.training.optimiser import make_optimiser


def _dense_total(sae: TopKSae, batch: TrainingBatch) -> torch.Tensor:
    """The loss by dense products, with nothing of the kernels."""
    scaled = (batch.x - sae.input_mean) * sae.input_scale
    pre_acts = scaled @ sae.encoder + sae.b_enc
    values, columns = pre_acts.topk(sae.config.k, dim=1)
    x_hat = scatter_codes(functional.relu(values), columns, sae.config.d_sae) @ sae.W_dec + sae.b_dec
    aux = auxk_loss(scaled - x_hat, pre_acts, sae.W_dec, batch.dead)
    return reconstruction_loss(x_hat, scaled) + sae.config.aux_coefficient * aux


@pytest.mark.parametrize("n_dead", [0, 5])
def test_twenty_sparse_steps_equal_dense_ones(make_topk, batch, n_dead):
    sparse, dense = make_topk(), make_topk()
    optimisers = make_optimiser(sparse), torch.optim.Adam(dense.parameters(), lr=1e-2)
    dead = torch.arange(16) < n_dead
    moved = sparse.encoder.detach().clone()
    for step in range(20):
        x = batch.x + torch.randn(batch.x.shape, generator=torch.Generator().manual_seed(step)).double()
        now = replace(batch, x=x, dead=dead)
        losses = sparse.loss_terms(now)["loss/total"], _dense_total(dense, now)
        torch.testing.assert_close(*losses, rtol=1e-6, atol=0)
        for sae, optimiser, loss in zip((sparse, dense), optimisers, losses, strict=True):
            optimiser.param_groups[0]["lr"] = 1e-2
            optimiser.zero_grad()
            loss.backward()
            sae.project_decoder_gradient()
            torch.nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
            optimiser.step()
            sae.normalise_decoder()
    assert (sparse.encoder - moved).abs().max() > 0.05
    for (name, one), other in zip(sparse.named_parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6, msg=name)
