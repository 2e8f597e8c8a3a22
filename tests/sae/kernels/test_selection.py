"""The k largest of every row, against torch's own and against a sorted list."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.sae.kernels import compress, cpu, plain
from protsae.training.threads import torch_threads


def _assert_largest(numbers: torch.Tensor, k: int, values: torch.Tensor, columns: torch.Tensor) -> None:
    expected = numbers.topk(k, dim=1).values.relu()
    assert torch.equal(values.sort(dim=1, descending=True).values, expected)
    assert torch.equal(numbers.gather(1, columns).relu(), values)
    assert all(len(set(row)) == k for row in columns.tolist())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("width", "k"), [(1, 1), (7, 3), (33, 2), (100, 100), (1000, 5), (1000, 60), (1000, 400), (4099, 32)]
)
def test_equals_torch(kernels, dtype, width, k):
    numbers = torch.randn(9, width, dtype=dtype, generator=torch.Generator().manual_seed(width))
    _assert_largest(numbers, k, *kernels.select(numbers, k, None))


def test_largest_are_chosen_and_negative_values_become_zero(kernels):
    numbers = -torch.rand(5, 200, generator=torch.Generator().manual_seed(0)) - 0.1
    values, columns = kernels.select(numbers, 4, None)
    assert not values.any()
    assert torch.equal(columns.sort(dim=1).values, numbers.topk(4, dim=1).indices.sort(dim=1).values)


@pytest.mark.parametrize("width", [3, 70, 1000])
def test_of_equal_numbers_the_first_are_taken(width):
    numbers = torch.zeros(1, width)
    numbers[0, width // 2 :] = 1.0
    assert cpu.select(numbers, 2, None)[1].tolist() == [[width // 2, width // 2 + 1]]


def test_infinities_are_ordered_like_other_numbers(kernels):
    numbers = torch.full((2, 90), -torch.inf)
    numbers[:, 40], numbers[:, 80], numbers[:, 3] = torch.inf, 2.0, -5.0
    values, columns = kernels.select(numbers, 3, None)
    assert [sorted(row) for row in values.tolist()] == [[0, 2, torch.inf]] * 2
    assert [sorted(row) for row in columns.tolist()] == [[3, 40, 80]] * 2


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("place", [5, 98])
def test_a_nan_is_not_lost(kernels, sign, place):
    numbers = torch.randn(3, 99, generator=torch.Generator().manual_seed(0))
    numbers[1, place] = torch.copysign(torch.tensor(torch.nan), torch.tensor(sign))
    values = kernels.select(numbers, 3, None)[0]
    assert values.isnan().any(dim=1).tolist() == [False, True, False]


def test_only_columns_asked_for_are_chosen(kernels):
    numbers = torch.randn(6, 300, generator=torch.Generator().manual_seed(1))
    inside = torch.arange(1, 300, 3)
    values, columns = kernels.select(numbers, 7, inside)
    masked = torch.full_like(numbers, -torch.inf)
    masked[:, inside] = numbers[:, inside]
    _assert_largest(masked, 7, values, columns)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), width=st.integers(1, 150))
def test_ties_and_signs_of_few_different_numbers(data, width):
    choices = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, 1e-40, float("inf")])
    numbers = torch.tensor([data.draw(st.lists(choices, min_size=width, max_size=width))])
    k = data.draw(st.integers(1, width))
    values, columns = cpu.select(numbers, k, None)
    _assert_largest(numbers, k, values, columns)
    first = sorted(range(width), key=lambda i: (-numbers[0, i].item(), i))[:k]
    assert columns.tolist() == [sorted(first)]


def test_threads_and_runs_change_no_bit():
    numbers = torch.randn(50, 700, generator=torch.Generator().manual_seed(2))
    results = []
    for n_threads in (1, 2, 3, 3):
        with torch_threads(n_threads):
            results.append(cpu.select(numbers, 20, None))
    assert all(torch.equal(a, b) for one in results[1:] for a, b in zip(one, results[0], strict=True))


def test_other_number_formats_take_the_plain_way(monkeypatch):
    asked = []
    monkeypatch.setattr(plain, "select", lambda numbers, k, inside: asked.append(k) or (numbers, numbers))
    compress(torch.ones(2, 3, dtype=torch.bfloat16))
    assert asked == [3]


def test_rows_of_a_slice_are_read_where_they_lie(kernels):
    numbers = torch.from_numpy(np.random.default_rng(0).normal(size=(40, 80)))[::2, ::4]
    _assert_largest(numbers, 3, *kernels.select(numbers, 3, None))
