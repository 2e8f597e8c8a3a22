"""Every unguided architecture's codes and losses against a few lines of NumPy, written from its formulas."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from protsae.sae.kernels import encode_batch_top_k

D, M, K, N = 6, 16, 3, 20  # as in conftest


def _arrays(sae, batch):
    """Return scaled input and parameters as float64 arrays."""
    state = {name: tensor.detach().numpy() for name, tensor in sae.state_dict().items()}
    return (batch.x.numpy() - state["input_mean"]) * state["input_scale"], state


def _fvu(residual):
    return (residual**2).sum() / (N * D)


def _terms(sae, batch):
    return {name: float(value.detach()) for name, value in sae.step_output(batch).losses.items()}


def _kept(pre):
    """The N * K largest of the batch that are positive."""
    return np.where((pre >= np.sort(pre, axis=None)[-N * K]) & (pre > 0), pre, 0)


def test_batch_topk(make_unguided, batch):
    sae = make_unguided("batch_topk")
    x, w = _arrays(sae, batch)
    z = _kept(x @ w["encoder"] + w["b_enc"])
    assert (z > 0).sum() == N * K and np.ptp((z > 0).sum(axis=1)) > 0
    assert _terms(sae, batch)["loss/total"] == pytest.approx(_fvu(x - z @ w["W_dec"] - w["b_dec"]), rel=1e-12)
    assert float(sae.step_output(batch).statistics["smallest"]) == z[z > 0].min()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_batch_keeps_its_largest_on_every_path(dtype):
    pre = torch.randperm(12 * 9, generator=torch.Generator().manual_seed(0)).view(12, 9).to(dtype) - 80
    one_to_one, zeros = torch.eye(9, dtype=dtype), torch.zeros(9, dtype=dtype)
    expected = torch.where(pre >= 28 - 24, pre, 0)  # the highest is 27; 12 * 2 are kept
    assert torch.equal(encode_batch_top_k(pre, one_to_one, zeros, 2)[0].dense(9), expected)
    # of 60, those that are positive
    assert int((encode_batch_top_k(pre, one_to_one, zeros, 5)[0].values > 0).sum()) == 27
    pre.requires_grad_()
    encode_batch_top_k(pre, one_to_one, zeros, 2)[0].values.sum().backward()
    assert torch.equal(pre.grad, (expected > 0).to(dtype))


def test_batch_topk_encodes_what_exceeds_the_threshold(make_unguided, batch):
    sae = make_unguided("batch_topk")
    sae.threshold.fill_(0.7)
    x, w = _arrays(sae, batch)
    pre = x @ w["encoder"] + w["b_enc"]
    np.testing.assert_allclose(sae.encode(batch.x).detach().numpy(), np.where(pre > 0.7, pre, 0), atol=1e-12)


def test_the_threshold_is_a_mean_first_and_then_follows(make_unguided, batch):
    sae = make_unguided("batch_topk", threshold_momentum=0.75)
    values = [1.0, 2.0, 6.0, 4.0, 5.0, 1.0]
    output = sae.step_output(batch)
    for value in values:
        statistics = {"smallest": output.statistics["smallest"] * 0 + value}
        sae.after_step(batch, replace(output, statistics=statistics))
    expected = np.mean(values[:4])
    for value in values[4:]:
        expected = 0.75 * expected + 0.25 * value
    assert float(sae.threshold) == pytest.approx(expected, rel=1e-12)
    nothing = replace(output, statistics={"smallest": output.statistics["smallest"] * 0 + math.inf})
    sae.after_step(batch, nothing)
    assert float(sae.threshold) == pytest.approx(expected, rel=1e-12)


def test_the_threshold_settles_on_the_mean_over_batches_at_rest(make_unguided, batch):
    sae = make_unguided("batch_topk")
    batches = [batch, replace(batch, x=2 * batch.x), replace(batch, x=batch.x[:7])]
    expected = np.mean([float(sae.step_output(b).statistics["smallest"]) for b in batches])
    sae.after_epoch(iter(batches))
    assert float(sae.threshold) == pytest.approx(expected, rel=1e-12)
    sae.after_epoch(iter([batch] * 32 + batches))  # more than are needed
    settled = float(sae.step_output(batch).statistics["smallest"])
    assert float(sae.threshold) == pytest.approx(settled, rel=1e-12)
    sae.b_enc.data -= 100
    sae.after_epoch(iter(batches))  # nothing fires
    assert float(sae.threshold) == pytest.approx(settled, rel=1e-12)


def test_matryoshka(make_unguided, batch):
    sae = make_unguided("matryoshka", group_shares=(0.125, 0.25, 0.625), prefix_weights=(3, 2, 1))
    assert sae.config.prefixes == (2, 6, 16)
    x, w = _arrays(sae, batch)
    z = _kept(x @ w["encoder"] + w["b_enc"])
    each = [_fvu(x - w["b_dec"] - z[:, :end] @ w["W_dec"][:end]) for end in (2, 6, 16)]
    terms = _terms(sae, batch)
    assert terms["loss/nested"] == pytest.approx((3 * each[0] + 2 * each[1] + each[2]) / 6, rel=1e-12)
    assert terms["loss/reconstruction"] == pytest.approx(each[2], rel=1e-12)
    assert terms["loss/total"] == terms["loss/nested"]


@pytest.mark.parametrize("exponent", [0.0, 1.5])
def test_ordered(exponent, make_unguided, batch):
    sae = make_unguided("ordered", prefix_exponent=exponent)
    x, w = _arrays(sae, batch)
    pre = x @ w["encoder"] + w["b_enc"]
    z = np.where(pre >= np.sort(pre, axis=1)[:, -K, None], np.maximum(pre, 0), 0)
    p = np.arange(1, M + 1) ** -exponent
    p /= p.sum()
    each = [_fvu(x - w["b_dec"] - z[:, :length] @ w["W_dec"][:length]) for length in range(1, M + 1)]
    terms = _terms(sae, batch)
    assert terms["loss/total"] == terms["loss/ordered"] == pytest.approx(p @ each, rel=1e-12)
    assert terms["loss/reconstruction"] == pytest.approx(each[-1], rel=1e-12)
    np.testing.assert_allclose(sae.encode(batch.x).detach().numpy(), z, atol=1e-12)


@pytest.mark.parametrize(("progress", "l0"), [(0.0, 12), (0.1, 9), (0.2, 6), (0.4, 3), (1.0, 3)])
def test_ordered_starts_with_more_latents(progress, l0, make_unguided, batch):
    sae = make_unguided("ordered", k_start_factor=4.0, k_settled_at=0.3)
    sae.b_enc.data += 9  # all are positive
    assert float(sae.step_output(replace(batch, progress=progress)).l0) == l0


@pytest.mark.parametrize(("progress", "risen"), [(0.0, 0.0), (0.1, 0.5), (0.2, 1.0), (0.9, 1.0)])
def test_relu_and_the_warm_up_of_its_penalty(progress, risen, make_unguided, batch):
    sae = make_unguided("relu", penalty=0.7, penalty_warmup=0.2)
    x, w = _arrays(sae, batch)
    z = np.maximum(x @ w["encoder"] + w["b_enc"], 0)
    fit, l1 = _fvu(x - z @ w["W_dec"] - w["b_dec"]), z.sum(axis=1).mean() / math.sqrt(D)
    terms = _terms(sae, replace(batch, progress=progress))
    assert terms["loss/reconstruction"] == pytest.approx(fit, rel=1e-12)
    assert terms["loss/sparsity"] == pytest.approx(l1, rel=1e-12)
    assert terms["loss/total"] == pytest.approx(fit + 0.7 * risen * l1, rel=1e-12)


def test_relu_with_free_rows_counts_their_norms_and_folds_them(make_unguided, batch):
    sae = make_unguided("relu", decoder_norm="in_penalty")
    sae.W_dec.data *= 1 + sae.W_dec.data[:, :1].abs()
    sae.normalise_decoder()
    x, w = _arrays(sae, batch)
    norms = np.linalg.norm(w["W_dec"], axis=1)
    assert norms.max() > 1.1
    z = np.maximum(x @ w["encoder"] + w["b_enc"], 0)
    expected, x_hat = (z @ norms).mean() / math.sqrt(D), sae(batch.x)
    assert _terms(sae, batch)["loss/sparsity"] == pytest.approx(expected, rel=1e-12)
    sae.after_epoch([])
    np.testing.assert_allclose(sae.W_dec.detach().norm(dim=1).numpy(), 1, atol=1e-12)
    np.testing.assert_allclose(sae(batch.x).detach().numpy(), x_hat.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(sae.encode(batch.x).detach().numpy(), z * norms, atol=1e-12)
    assert _terms(sae, batch)["loss/sparsity"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["l0", "tanh"])
def test_jumprelu_and_the_gradients_of_its_thresholds(kind, make_unguided, batch):
    width = 0.8
    sae = make_unguided("jumprelu", penalty=0.7, penalty_kind=kind, tanh_scale=2.0, bandwidth=width)
    x, w = _arrays(sae, batch)
    pre, theta = x @ w["encoder"] + w["b_enc"], np.exp(w["log_threshold"])
    z = pre * (pre > theta)
    residual = z @ w["W_dec"] + w["b_dec"] - x
    count = (z > 0).sum(axis=1).mean() if kind == "l0" else np.tanh(2 * z).sum(axis=1).mean()
    terms = _terms(sae, batch)
    assert terms["loss/sparsity"] == pytest.approx(count, rel=1e-12)
    assert terms["loss/total"] == pytest.approx(_fvu(residual) + 0.7 * count, rel=1e-12)
    sae.step_output(batch).losses["loss/total"].backward()
    near = (np.abs(pre - theta) < width / 2) / width
    assert near.any()
    dz = 2 * residual @ w["W_dec"].T / (N * D)
    if kind == "tanh":
        dz += 0.7 * 2 * (1 - np.tanh(2 * z) ** 2) / N
    by_theta = (-theta * near * dz).sum(axis=0)
    if kind == "l0":
        by_theta += -0.7 * near.sum(axis=0) / N
    np.testing.assert_allclose(sae.log_threshold.grad.numpy(), by_theta * theta, atol=1e-12)
    by_encoder = x.T @ (dz * (pre > theta))
    np.testing.assert_allclose(sae.encoder.grad.numpy(), by_encoder, atol=1e-12)


def test_gated(make_unguided, batch):
    sae = make_unguided("gated", penalty=0.7)
    x, w = _arrays(sae, batch)
    gate = x @ w["encoder"] + w["b_enc"]
    z = np.maximum(x @ w["encoder"] * np.exp(w["log_scale"]) + w["b_mag"], 0) * (gate > 0)
    fit = _fvu(x - z @ w["W_dec"] - w["b_dec"])
    by_gate = _fvu(x - np.maximum(gate, 0) @ w["W_dec"] - w["b_dec"])
    l1 = np.maximum(gate, 0).sum(axis=1).mean() / math.sqrt(D)
    assert _terms(sae, batch)["loss/total"] == pytest.approx(fit + by_gate + 0.7 * l1, rel=1e-12)
    np.testing.assert_allclose(sae.encode(batch.x).detach().numpy(), z, atol=1e-12)
    sae.step_output(batch).losses["loss/gate"].backward()
    assert sae.W_dec.grad is None and sae.b_dec.grad is None and sae.encoder.grad.abs().max() > 0


@pytest.mark.parametrize("activation", ["jumprelu", "relu"])
def test_gba(activation, make_unguided, batch):
    sae = make_unguided("gba", n_groups=4, activation=activation)
    sae.bias.copy_(-0.3 * sae.b_dec.new_ones(M))
    x, w = _arrays(sae, batch)
    y = (x - w["b_dec"]) @ w["W_dec"].T / math.sqrt(D)
    passed = np.where(y > 0.3, y if activation == "jumprelu" else y - 0.3, 0)
    z = np.exp(w["log_amplitude"]) * math.sqrt(D) * passed
    np.testing.assert_allclose(sae.encode(batch.x).detach().numpy(), z, atol=1e-12)
    assert _terms(sae, batch)["loss/total"] == pytest.approx(_fvu(x - z @ w["W_dec"] - w["b_dec"]), rel=1e-12)


def test_gba_moves_biases_towards_the_frequencies_of_their_groups(make_unguided, batch):
    settings = {"n_groups": 2, "highest_frequency": 0.4, "lowest_frequency": 0.1, "silent_below": 0.01}
    sae = make_unguided("gba", update_every=2, step_down=0.1, step_up=0.2, **settings)
    np.testing.assert_allclose(sae.target.numpy(), [0.4] * 8 + [0.1] * 8)
    sae.bias.copy_(sae.bias - 0.5)
    sae.bias[3] = -0.99  # of the two that fall, one reaches the bound
    output = sae.step_output(batch)
    n_fired, largest = output.statistics["n_fired"] * 0, output.statistics["largest"] * 0
    n_fired[[1, 3, 9]], largest[[1, 3, 9]] = 12, largest.new_tensor([0.5, 0.6, 0.7])  # of 20
    n_fired[[2, 10]], largest[[2, 10]] = 1, largest.new_tensor([0.1, 0.2])  # .05: between silent and target
    before = sae.bias.clone()
    for _ in range(2):
        sae.after_step(batch, replace(output, statistics={"n_fired": n_fired, "largest": largest}))
    raised = before.clone()
    raised[:8] += 0.2 * (0.5 + 0.6 + 0.1) / 3
    raised[8:] += 0.2 * (0.7 + 0.2) / 2
    expected = raised
    expected[1], expected[3], expected[9] = -0.5 - 0.05, -1.0, -0.5 - 0.07
    expected[[2, 10]] = -0.5
    np.testing.assert_allclose(sae.bias.numpy(), expected.numpy(), atol=1e-12)
    assert int(sae.n_seen) == int(sae.n_steps) == 0 and not sae.n_fired.any() and not sae.largest.any()


def test_steering_is_heavier_above_the_target_and_remembers(make_unguided, batch):
    sae = make_unguided("relu", target_l0=4.0, penalty_warmup=0.2, penalty_gain=2.0, penalty_rate=0.1)
    output = sae.step_output(batch)
    after_warm_up = replace(batch, progress=0.5)
    sae.after_step(replace(batch, progress=0.1), replace(output, l0=output.l0 * 0 + 8))
    assert float(sae.penalty_scale) == 1
    trend = 0.0
    steps = [
        (8, math.log(2), True),
        (400, 1, True),  # far above, and rising
        (300, 1, False),  # far above, but falling
        (300, 1, True),
        (5, math.log(5 / 4), True),
        (0, -1, True),
        (0.5, -1, False),  # far below, but rising
    ]
    for l0, excess, adds_up in steps:
        sae.after_step(after_warm_up, replace(output, l0=output.l0 * 0 + l0))
        trend += 0.1 * excess * adds_up
        assert float(sae.penalty_scale) == pytest.approx(math.exp(trend + 2 * excess), rel=1e-6), l0
