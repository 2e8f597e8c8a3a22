"""Thresholds at which a wanted share fires, against a sorted list."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.sae.guidance import firing_thresholds
from protsae.training.threads import torch_threads


def _reference(values: list[float], rate: float) -> float:
    if not values:
        return math.nan
    ranked = sorted(values, reverse=True)
    n_fire = round(float(torch.tensor(rate) * len(ranked)))  # halves to even, in float32
    if n_fire == 0:
        return ranked[0]
    return (ranked[n_fire - 1] + ranked[min(n_fire, len(ranked) - 1)]) / 2


@settings(max_examples=80, deadline=None)
@given(data=st.data(), n=st.integers(1, 30), m=st.integers(1, 40))
def test_equal_those_of_a_sorted_list(data, n, m):
    n_proteins = data.draw(st.integers(1, n))
    segment = torch.tensor([i * n_proteins // n for i in range(n)])
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 1000)))
    labelled = torch.rand(n_proteins, m, generator=generator) < data.draw(st.sampled_from([0.3, 1.0]))
    logits = torch.randn(n, m, generator=generator, dtype=torch.float64)
    if data.draw(st.booleans()):
        logits = (2 * logits).round() / 2  # ties
    rates = torch.rand(m, generator=generator)
    found = firing_thresholds(logits, rates, labelled, segment)
    for j in range(m):
        values = [float(logits[i, j]) for i in range(n) if labelled[segment[i], j]]
        expected = _reference(values, float(rates[j]))
        assert float(found[j]) == pytest.approx(expected, nan_ok=True, abs=0), (j, values)


def test_float32_and_other_formats_agree():
    logits = torch.randn(300, 20, generator=torch.Generator().manual_seed(0)).bfloat16()
    labelled = torch.rand(300, 20, generator=torch.Generator().manual_seed(1)) < 0.8
    rates = torch.linspace(0, 1, 20)
    by_torch = firing_thresholds(logits, rates, labelled)
    torch.testing.assert_close(firing_thresholds(logits.float(), rates, labelled).bfloat16(), by_torch)


def test_threads_change_nothing():
    logits = torch.randn(200, 70, generator=torch.Generator().manual_seed(0))
    labelled, rates = torch.ones(200, 70, dtype=torch.bool), torch.full((70,), 0.1)
    found = []
    for n_threads in (1, 2, 3):
        with torch_threads(n_threads):
            found.append(firing_thresholds(logits, rates, labelled))
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
