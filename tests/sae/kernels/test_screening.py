"""The k largest by way of rough products: always those of the exact product."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.sae.kernels import cpu, encoding, plain, screening
from protsae.training.threads import torch_threads

N, D_MODEL, D_SAE, K = 40, 24, 640, 5


@pytest.fixture(autouse=True)
def _screened(monkeypatch):
    """Also on processors on which it does not pay."""
    monkeypatch.setattr(encoding, "multiplies_bfloat16", lambda: True)


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, rows, bias = (
        torch.randn(shape, generator=generator) for shape in ((N, D_MODEL), (D_SAE, D_MODEL), (D_SAE,))
    )
    return x, rows.T, bias


def _whole(monkeypatch, *inputs, **others):
    with monkeypatch.context() as context:
        context.setattr(encoding, "multiplies_bfloat16", lambda: False)
        return cpu.encode(*inputs, **others)


def _assert_exact(x, weight, bias, k):
    """Against float64, where differences are larger than float32's rounding."""
    (values, columns), _ = cpu.encode(x, weight, bias, k)
    exact = x.double() @ weight.double() + bias.double()
    expected = exact.topk(k, dim=1).values.relu()
    size = (x.double().norm(dim=1).max() * weight.double().norm(dim=0).max() + bias.abs().max()).item()
    torch.testing.assert_close(
        values.double().sort(dim=1, descending=True).values, expected, rtol=0, atol=1e-6 * size
    )
    assert (columns[:, 1:] > columns[:, :-1]).all()
    chosen = exact.gather(1, columns)
    torch.testing.assert_close(values.double(), chosen.relu(), rtol=0, atol=1e-6 * size)


def test_equals_float64(inputs):
    _assert_exact(*inputs, K)


def test_few_latents_are_computed_and_no_row_is_left_open(inputs, monkeypatch):
    """Otherwise the tests here would test the whole product."""
    monkeypatch.setattr(encoding, "_encode_whole", None)
    _assert_exact(*inputs, K)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    spread=st.sampled_from([0.0, 1.0, 3.0]),
    scale=st.sampled_from([1e-12, 1.0, 1e9]),
    bias_scale=st.sampled_from([0.0, 1.0, 1e4]),
    k=st.integers(1, 20),
)
def test_equals_float64_whatever_the_sizes(seed, spread, scale, bias_scale, k):
    """Latents of norms that differ, inputs with outlying dimensions, a bias that drowns the product."""
    generator = torch.Generator().manual_seed(seed)
    x, rows = torch.randn(9, D_MODEL, generator=generator), torch.randn(D_SAE, D_MODEL, generator=generator)
    x = x * torch.exp(spread * torch.randn(D_MODEL, generator=generator)) * scale
    rows = rows * torch.exp(spread * torch.randn(D_SAE, 1, generator=generator))
    _assert_exact(x, rows.T, bias_scale * torch.randn(D_SAE, generator=generator), k)


def test_nearly_equal_latents_are_distinguished():
    """All within bfloat16's rounding of each other: more candidates than are settled one by one."""
    generator = torch.Generator().manual_seed(1)
    x, row = torch.randn(N, D_MODEL, generator=generator), torch.randn(D_MODEL, generator=generator)
    rows = row + 1e-3 * torch.randn(D_SAE, D_MODEL, generator=generator)
    _assert_exact(x, rows.T, torch.zeros(D_SAE), K)


def test_of_equal_latents_the_first_are_taken(inputs):
    x, weight, bias = inputs
    twice, bias = torch.cat([weight.T[:320], weight.T[:320]]).T, torch.cat([bias[:320], bias[:320]])
    _, columns = cpu.encode(x, twice, bias, K)[0]
    pairs = [(first, first + 320) for first in range(320)]
    for row in columns.tolist():
        assert all(not (later in row and first not in row) for first, later in pairs)
    zeros = cpu.encode(torch.zeros(2, D_MODEL), weight, torch.zeros(D_SAE), K)[0]
    assert zeros[1].tolist() == [[0, 1, 2, 3, 4]] * 2 and not zeros[0].any()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 3.4e38])
@pytest.mark.parametrize("place", ["x", "weight", "bias"])
def test_what_is_no_number_ends_as_in_the_whole_product(inputs, monkeypatch, bad, place):
    x, weight, bias = (tensor.clone() for tensor in inputs)
    {"x": x[3], "weight": weight.T[7], "bias": bias}[place][2] = bad
    (values, columns), _ = cpu.encode(x, weight, bias, K)
    expected = _whole(monkeypatch, x, weight, bias, K)[0]
    torch.testing.assert_close(values, expected[0], equal_nan=True, rtol=1e-5, atol=1e-5)
    assert torch.equal(columns, expected[1])


def test_dead_latents_are_screened_on_their_own(inputs, monkeypatch):
    inside = torch.arange(1, D_SAE, 3)
    found = cpu.encode(*inputs, K, inside=inside, k_inside=3)
    expected = _whole(monkeypatch, *inputs, K, inside=inside, k_inside=3)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one[0], other[0])
        assert torch.equal(one[1], other[1])


def test_threads_and_chunks_change_no_bit(inputs, monkeypatch):
    found = []
    for n_threads, n_rows in ((1, 512), (2, 7), (3, 13)):
        monkeypatch.setattr(encoding, "_FEWEST_ROWS", n_rows)
        monkeypatch.setattr(plain, "_CHUNK_BYTES", 1)
        with torch_threads(n_threads):
            found.append(cpu.encode(*inputs, K)[0])
    assert all(torch.equal(a, b) for one in found[1:] for a, b in zip(one, found[0], strict=True))


def test_rounding_is_torchs():
    rows = torch.randn(50, 33, generator=torch.Generator().manual_seed(2)) * 1e3
    rows[0, :4] = torch.tensor([0.0, -0.0, 1e-40, 255.5])
    rough, norms, errors = encoding._rounded(rows)
    assert torch.equal(rough, rows.bfloat16())
    torch.testing.assert_close(norms, rows.norm(dim=1))
    torch.testing.assert_close(errors, (rows - rows.bfloat16().float()).norm(dim=1))


def test_bounds_hold_and_are_not_much_too_wide(inputs):
    x, weight, bias = inputs
    rows = weight.T.contiguous()
    (rough_x, x_norms, x_errors), (rough_rows, norms, errors) = map(encoding._rounded, (x, rows))
    slack = x_errors + (x_norms + x_errors) * (errors / norms).max()
    exact = (x.double() @ weight.double() + bias.double()).numpy()
    product = (rough_x @ rough_rows.T).view(torch.int16).numpy()
    line = np.empty(D_SAE, np.float32)
    for i in range(N):
        screening.fill_bounds(
            product[i], bias.numpy(), norms.numpy(), slack.numpy()[i], line, line.view(np.int32)
        )
        assert (line > exact[i]).all()
        assert (line - exact[i]).max() < 0.02 * float(x_norms[i] * norms.max())
