"""What holds for every architecture of the registry."""

from dataclasses import replace

import pytest
import torch

from protsae.sae.config import parse_config
from protsae.sae.registry import ARCHITECTURES


@pytest.fixture(params=sorted(ARCHITECTURES))
def sae(request, make_topk, make_protsae):
    return {"topk": make_topk, "protsae": make_protsae}[request.param]()


def test_registry_agrees_with_config(sae):
    module, config = ARCHITECTURES[sae.config.architecture]
    assert type(sae) is module
    assert type(sae.config) is config
    assert parse_config(sae.config_json()) == sae.config


def test_forward_is_decode_of_encode_and_codes_are_not_negative(sae, x):
    codes = sae.encode(x)
    assert codes.min() == 0 < codes.max()
    torch.testing.assert_close(sae(x), sae.decode(codes), rtol=0, atol=0)


def test_decode_is_affine_in_raw_units(sae, x):
    codes = sae.encode(x)
    expected = (codes @ sae.W_dec + sae.b_dec) / sae.input_scale + sae.input_mean
    torch.testing.assert_close(sae.decode(codes), expected)


def test_at_most_k_free_latents_fire(sae, x):
    assert (sae.encode(x)[:, sae.n_defined :] > 0).sum(dim=1).max() == sae.config.k


def test_permuting_free_latents_leaves_the_reconstruction(sae, x):
    before = sae(x)
    order = torch.arange(sae.config.d_sae)
    order[sae.n_defined :] = order[sae.n_defined :].flip(0)
    free = order[sae.n_defined :] - sae.n_defined
    with torch.no_grad():
        sae.W_dec.copy_(sae.W_dec[order].clone())
        for name in ("encoder", "W_free"):
            if hasattr(sae, name):
                getattr(sae, name).copy_(getattr(sae, name)[:, free].clone())
        for name in ("b_enc", "b_free"):
            if hasattr(sae, name):
                getattr(sae, name).copy_(getattr(sae, name)[free].clone())
    torch.testing.assert_close(sae(x), before)


def test_reconstruction_loss_is_in_units_of_the_training_variance(sae, batch):
    sae.set_input_statistics(batch.x.mean(dim=0), float(batch.x.var(dim=0, correction=0).sum()))
    residual = (sae(batch.x) - batch.x).square().sum()
    expected = residual / (batch.x - batch.x.mean(dim=0)).square().sum()
    torch.testing.assert_close(sae.loss_terms(batch)["loss/reconstruction"], expected)


def test_encoder_weights_give_the_unforced_codes(sae, x):
    """W_enc with its thresholds is what the codes are made of: free pre-activations of the top latent."""
    pre_acts = sae.scale_input(x) @ sae.W_enc
    assert pre_acts.shape == (len(x), sae.config.d_sae)
    bias = sae.b_enc if hasattr(sae, "b_enc") else sae.b_free
    free = (pre_acts[:, sae.n_defined :] + bias).max(dim=1).values.clamp_min(0)
    torch.testing.assert_close(sae.encode(x)[:, sae.n_defined :].max(dim=1).values, free)


def test_a_step_reports_which_latents_fire_and_how_many_per_residue(sae, batch):
    batch = replace(batch, x=batch.x[:3], segment=batch.segment[:3])
    output, active = sae.step_output(batch), sae.encode(batch.x) > 0
    assert torch.equal(output.fired, active.any(dim=0)) and not output.fired.all()
    assert float(output.l0) == pytest.approx(float(active.sum()) / len(batch.x), rel=1e-12)


def test_loss_changes_nothing(sae, batch):
    before = {name: tensor.clone() for name, tensor in sae.state_dict().items()}
    first = sae.loss_terms(batch)
    second = sae.loss_terms(batch)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.equal(tensor, before[name]) for name, tensor in sae.state_dict().items())


def test_gradients_equal_finite_differences(sae, batch):
    sae.loss_terms(batch)["loss/total"].backward()
    generator = torch.Generator().manual_seed(3)
    for name, parameter in sae.named_parameters():
        if parameter.grad is None or name == "W_pred" or name == "b_pred":
            continue  # the stop-gradient makes these differ on purpose: tests/sae/test_protsae.py
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        step = 1e-6
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(sign * step * direction)
                values.append(float(sae.loss_terms(batch)["loss/total"]))
                parameter.sub_(sign * step * direction)
        numeric = (values[0] - values[1]) / (2 * step)
        assert float((parameter.grad * direction).sum()) == pytest.approx(numeric, rel=1e-5, abs=1e-8), name


def test_decoder_projection_leaves_no_gradient_along_the_rows(sae, batch):
    sae.loss_terms(batch)["loss/total"].backward()
    assert (sae.W_dec.grad * sae.W_dec).sum(dim=1).abs().max() > 1e-3
    sae.project_decoder_gradient()
    assert (sae.W_dec.grad * sae.W_dec).sum(dim=1).abs().max() < 1e-14


@pytest.mark.parametrize("variance", [0.0, -1.0, float("nan"), float("inf")])
def test_variance_has_to_be_positive(sae, variance):
    with pytest.raises(ValueError, match="not positive"):
        sae.set_input_statistics(torch.zeros(6), variance)
