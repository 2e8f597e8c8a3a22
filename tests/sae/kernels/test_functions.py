"""Sparse encoding and decoding: values and gradients against dense torch, and finite differences."""

import pytest
import torch

from protsae.sae.codes import SparseCodes
from protsae.sae.kernels import (
    compress,
    cpu,
    encode_batch_top_k,
    encode_top_k,
    fired,
    functions,
    prefix_energies,
    sparse_decode,
    sparse_decode_groups,
    sparse_encode,
)
from protsae.training.threads import torch_threads

N, D_MODEL, D_SAE, K, M = 11, 6, 40, 4, 5


@pytest.fixture(autouse=True)
def _backend(kernels, monkeypatch):
    monkeypatch.setattr(functions, "backend", lambda tensor: kernels)
    monkeypatch.setattr("protsae.sae.kernels.backend", lambda tensor: kernels)


def _draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def weights() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    weight = _draw(D_SAE, D_MODEL, seed=1).T
    return _draw(N, D_MODEL), weight, _draw(D_SAE, seed=2)


def _dense(x, weight, bias, k, inside=slice(None)):
    pre_acts = x @ weight + bias
    kept = torch.full_like(pre_acts, -torch.inf)
    kept[:, inside] = pre_acts.detach()[:, inside]
    chosen = torch.zeros_like(pre_acts).scatter(1, kept.topk(k, dim=1).indices, 1.0)
    return torch.relu(pre_acts) * chosen


@pytest.mark.parametrize("k", [K, 30])
def test_codes_and_gradients_equal_dense_ones(weights, k):
    rows = _draw(D_SAE, D_MODEL, seed=3)
    leaves = [tensor.clone().requires_grad_() for tensor in (*weights, rows)]
    copies = [tensor.clone().requires_grad_() for tensor in (*weights, rows)]
    codes, none = encode_top_k(*leaves[:3], k)
    assert none is None
    dense = _dense(*copies[:3], k)
    torch.testing.assert_close(codes.dense(D_SAE), dense)
    assert (codes.values == 0).any() or (dense > 0).sum() == N * k
    target = _draw(N, D_MODEL, seed=4)
    (sparse_decode(codes, leaves[3]) * target).square().sum().backward()
    (dense @ copies[3] * target).square().sum().backward()
    for leaf, copy in zip(leaves, copies, strict=True):
        torch.testing.assert_close(leaf.grad, copy.grad, rtol=1e-10, atol=1e-10)


def test_codes_that_are_zero_get_no_gradient(weights):
    x, weight, bias = weights
    bias = (bias - 3).requires_grad_()
    codes, _ = encode_top_k(x, weight, bias, K)
    assert (codes.values == 0).any() and (codes.values > 0).any()
    codes.values.sum().backward()
    expected = torch.bincount(codes.columns[codes.values > 0], minlength=D_SAE)
    assert torch.equal(bias.grad, expected.double())


def test_dead_latents_are_encoded_with_the_live(weights):
    leaves = [tensor.clone().requires_grad_() for tensor in weights]
    copies = [tensor.clone().requires_grad_() for tensor in weights]
    dead = torch.zeros(D_SAE, dtype=torch.bool)
    dead[3::4] = True
    _, revived = encode_top_k(*leaves, K, dead=dead, k_dead=3)
    expected = _dense(*copies, 3, dead)
    torch.testing.assert_close(revived.dense(D_SAE), expected)
    revived.values.square().sum().backward()
    expected.square().sum().backward()
    for leaf, copy in zip(leaves, copies, strict=True):
        torch.testing.assert_close(leaf.grad, copy.grad)


def test_no_more_dead_latents_than_there_are(weights):
    dead = torch.zeros(D_SAE, dtype=torch.bool)
    assert encode_top_k(*weights, K, dead=dead, k_dead=3)[1] is None
    dead[[2, 9]] = True
    assert encode_top_k(*weights, K, dead=dead, k_dead=3)[1].values.shape == (N, 2)


def test_rows_in_parts_give_the_same(weights, monkeypatch):
    whole, _ = encode_top_k(*weights, K)
    monkeypatch.setattr("protsae.sae.kernels.plain._CHUNK_BYTES", 8 * D_SAE * 3)
    parts, _ = encode_top_k(*weights, K)
    torch.testing.assert_close(parts.dense(D_SAE), whole.dense(D_SAE), rtol=1e-12, atol=1e-12)


def test_encoding_passes_gradcheck(weights):
    x, weight, bias = (tensor.clone().requires_grad_() for tensor in weights)
    columns = (x @ weight + bias).topk(K, dim=1).indices

    def encode(x, weight, bias):
        return sparse_encode(x, weight, bias, columns, (x @ weight + bias).detach().gather(1, columns)).values

    assert torch.autograd.gradcheck(encode, (x, weight, bias))


def test_decoding_passes_gradcheck():
    columns = _draw(N, D_SAE, seed=5).topk(K, dim=1).indices
    inputs = (_draw(N, K, seed=6).abs().requires_grad_(), _draw(D_SAE, D_MODEL, seed=8).requires_grad_())
    assert torch.autograd.gradcheck(
        lambda values, rows: sparse_decode(SparseCodes(values, columns), rows), inputs
    )


def test_decoded_codes_that_are_zero_get_no_gradient():
    columns = _draw(N, D_SAE, seed=5).topk(K, dim=1).indices
    values, rows = _draw(N, K, seed=6), _draw(D_SAE, D_MODEL, seed=8)
    values = values.where(values > 0, 0.0).requires_grad_()
    sparse_decode(SparseCodes(values, columns), rows).sum().backward()
    expected = rows.sum(dim=1)[columns].where(values > 0, 0.0)
    assert (values == 0).any()
    torch.testing.assert_close(values.grad, expected)


def test_decoding_by_groups_passes_gradcheck_and_adds_up():
    columns = _draw(N, D_SAE, seed=5).topk(K, dim=1).indices
    inputs = (_draw(N, K, seed=6).abs().requires_grad_(), _draw(D_SAE, D_MODEL, seed=8).requires_grad_())

    def decode(values, rows):
        return sparse_decode_groups(SparseCodes(values, columns), rows, (3, 11, D_SAE))

    assert torch.autograd.gradcheck(decode, inputs)
    groups, dense = decode(*inputs), SparseCodes(inputs[0], columns).dense(D_SAE)
    torch.testing.assert_close(groups[1], dense[:, 3:11] @ inputs[1][3:11])
    torch.testing.assert_close(groups.sum(dim=0), dense @ inputs[1])


@pytest.mark.parametrize("chunk_bytes", [1, 2**24])
def test_energies_of_prefixes_pass_gradcheck(chunk_bytes, monkeypatch):
    monkeypatch.setattr("protsae.sae.kernels.plain._CHUNK_BYTES", chunk_bytes)
    columns = _draw(N, D_SAE, seed=5).topk(K, dim=1).indices
    shares = _draw(N, K + 1, seed=9).abs()
    inputs = (_draw(N, D_MODEL), _draw(N, K, seed=6).abs(), _draw(D_SAE, D_MODEL, seed=8))

    def energies(start, values, rows):
        return prefix_energies(start, SparseCodes(values, columns), rows, shares)

    assert torch.autograd.gradcheck(energies, tuple(tensor.requires_grad_() for tensor in inputs))
    start, values, rows = inputs
    left, expected = start, shares[:, 0] * start.square().sum(dim=1)
    for j in range(K):
        left = left - values[:, j, None] * rows[columns[:, j]]
        expected = expected + shares[:, j + 1] * left.square().sum(dim=1)
    torch.testing.assert_close(energies(*inputs), (left, expected))


@pytest.mark.parametrize("chunk_bytes", [1, 2**24])
@pytest.mark.parametrize("k", [1, 4, 15, 40])
def test_the_largest_of_a_batch_equal_a_sort(weights, k, chunk_bytes, monkeypatch):
    monkeypatch.setattr("protsae.sae.kernels.plain._CHUNK_BYTES", chunk_bytes)
    x, weight, bias = weights
    x = x * torch.linspace(0.1, 5, N).unsqueeze(1)  # rows from none to many
    leaves = [tensor.clone().requires_grad_() for tensor in (x, weight, bias)]
    pre_acts = leaves[0] @ leaves[1] + leaves[2]
    least = pre_acts.flatten().sort(descending=True).values[N * k - 1]
    expected = pre_acts.relu().where(pre_acts >= least, 0.0)
    expected.square().sum().backward()
    gradients = [leaf.grad for leaf in leaves]
    copies = [tensor.clone().requires_grad_() for tensor in (x, weight, bias)]
    codes, none = encode_batch_top_k(*copies, k)
    assert none is None
    torch.testing.assert_close(codes.dense(D_SAE), expected)
    codes.values.square().sum().backward()
    for copy, gradient in zip(copies, gradients, strict=True):
        torch.testing.assert_close(copy.grad, gradient)


def test_dead_latents_are_encoded_with_the_largest_of_a_batch(weights):
    dead = torch.zeros(D_SAE, dtype=torch.bool)
    dead[3::4] = True
    _, expected = encode_top_k(*weights, K, dead=dead, k_dead=3)
    _, revived = encode_batch_top_k(*weights, K, dead=dead, k_dead=3)
    torch.testing.assert_close(revived.dense(D_SAE), expected.dense(D_SAE))


def test_a_level_too_high_is_looked_for_again(weights, monkeypatch, kernels):
    """The rows that a level is guessed from may be unlike the others."""
    if kernels is not cpu:
        pytest.skip("only the compiled kernels guess")
    guesses = []
    monkeypatch.setattr("protsae.sae.kernels.batch._level", lambda *rest: guesses.append(1) or 1e9)
    x, weight, bias = weights
    codes, _ = encode_batch_top_k(x, weight, bias, K)
    least = (x @ weight + bias).flatten().sort(descending=True).values[N * K - 1]
    assert len(guesses) == 2 and float(codes.values[codes.values > 0].min()) == pytest.approx(float(least))


def test_a_nan_is_not_lost_among_the_largest_of_a_batch(weights):
    x, weight, bias = weights
    x[2, 1] = torch.nan
    assert encode_batch_top_k(x, weight, bias, K)[0].values.isnan().any()


def test_bfloat16_pre_activations_give_codes_of_the_weights_format(weights):
    x, weight, bias = (tensor.float() for tensor in weights)
    weight.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        codes, _ = encode_top_k(x, weight, bias, K)
        sparse_decode(codes, weight.detach().T.contiguous()).sum().backward()
    assert codes.values.dtype == weight.grad.dtype == torch.float32
    torch.testing.assert_close(
        codes.dense(D_SAE).sum(dim=1), _dense(x, weight, bias, K).sum(dim=1), rtol=0.03, atol=0.03
    )


def test_threads_and_runs_change_no_bit(kernels, weights):
    if kernels is not cpu:
        pytest.skip("plain torch promises no more than torch does")
    x, weight, bias = weights
    results = []
    for n_threads in (1, 2, 4, 4):
        leaves = [weight.float().requires_grad_(), weight.float().T.contiguous().requires_grad_()]
        with torch_threads(n_threads):
            columns = (x @ weight).topk(K, dim=1).indices
            codes = sparse_encode(x.float(), leaves[0], bias.float(), columns, _draw(N, K).float())
            x_hat = sparse_decode(codes, leaves[1])
            x_hat.square().sum().backward()
        results.append((x_hat.detach(), *(leaf.grad for leaf in leaves)))
    assert all(torch.equal(a, b) for one in results[1:] for a, b in zip(one, results[0], strict=True))


def test_fired_are_the_latents_with_a_positive_code_anywhere():
    codes = SparseCodes(torch.tensor([[0.0, 2.0], [1.0, 0.0]]), torch.tensor([[4, 1], [3, 1]]))
    assert fired(codes, 6).tolist() == [False, True, False, True, False, False]


def test_compressed_codes_keep_what_is_positive():
    acts = torch.tensor([[2.0, 0.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0], [-1.0, 4.0, 5.0, 6.0]])
    codes = compress(acts)
    assert codes.values.shape == (3, 3)
    assert torch.equal(codes.dense(4), acts.relu())
    assert all(len(set(row)) == 3 for row in codes.columns.tolist())
    assert compress(acts[1:2]).values.shape == (1, 0)
    assert compress(acts[:0]).values.shape == (0, 0)


def test_encoder_gradients_lie_latent_by_latent(weights):
    """No copy is made where the encoder's memory is laid out like the decoder's."""
    x, weight, bias = weights
    parameter = torch.nn.Parameter(weight.clone())
    encode_top_k(x, parameter, bias, K)[0].values.sum().backward()
    assert parameter.T.is_contiguous() and parameter.grad.T.is_contiguous()
