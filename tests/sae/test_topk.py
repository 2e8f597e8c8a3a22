"""TopK: which latents fire, and what AuxK sees."""

from dataclasses import replace

import pytest
import torch

from protsae.sae.losses import auxk_loss


@torch.no_grad()
def test_codes_equal_a_slow_reference(make_topk, x):
    sae = make_topk()
    scaled = (x - sae.input_mean) * sae.input_scale
    for row, codes in zip(scaled, sae.encode(x), strict=True):
        pre = [float(row @ sae.encoder[:, j] + sae.b_enc[j]) for j in range(16)]
        kept = sorted(range(16), key=lambda j: -pre[j])[:3]
        expected = [max(pre[j], 0.0) if j in kept else 0.0 for j in range(16)]
        assert codes.tolist() == pytest.approx(expected, abs=1e-12)


def test_auxk_uses_only_dead_latents(make_topk, batch):
    sae = make_topk()
    dead = torch.zeros(16, dtype=torch.bool)
    dead[[2, 5, 11, 12, 15]] = True
    sae.step_output(replace(batch, dead=dead)).losses["loss/aux"].backward()
    touched = sae.encoder.grad.abs().sum(dim=0) > 0
    assert touched.any()
    assert not (touched & ~dead).any()
    assert not ((sae.W_dec.grad.abs().sum(dim=1) > 0) & ~dead).any()


def test_auxk_equals_a_slow_reference():
    generator = torch.Generator().manual_seed(0)
    residual, pre, directions = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((5, 4), (5, 7), (7, 4))
    )
    dead = torch.tensor([1, 0, 1, 1, 0, 0, 1]).bool()
    unexplained = 0.0
    for e, p in zip(residual, pre, strict=True):
        best = sorted((j for j in range(7) if dead[j]), key=lambda j: -p[j])[:2]  # d_model / 2
        unexplained += float((e - sum(p[j].clamp_min(0) * directions[j] for j in best)).square().sum())
    expected = unexplained / float(residual.square().sum())
    assert float(auxk_loss(residual, pre, directions, dead)) == pytest.approx(expected, rel=1e-12)


def test_no_dead_latents_no_auxk(make_topk, batch):
    assert make_topk().step_output(batch).losses["loss/aux"] == 0


def test_total_weighs_auxk(make_topk, batch):
    terms = (
        make_topk(aux_coefficient=0.5)
        .step_output(replace(batch, dead=torch.ones(16, dtype=torch.bool)))
        .losses
    )
    assert terms["loss/total"] == terms["loss/reconstruction"] + 0.5 * terms["loss/aux"]
    assert terms["loss/aux"] > 0
