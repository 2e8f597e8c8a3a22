"""Pooling of residue logits, each against a loop over proteins."""

import math

import pytest
import torch

from protsae.sae.pooling import pool_logits, segment_max, segment_mean

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 3 * torch.randn(9, 2, generator=GENERATOR, dtype=torch.float64)
SCORES = 2 * torch.randn(9, 2, generator=GENERATOR, dtype=torch.float64)
SHARPNESS = torch.tensor([0.3, 2.0], dtype=torch.float64)
SEGMENT = torch.tensor([0, 0, 0, 0, 1, 2, 2, 2, 2])
WEIGHTS = {"attention": SCORES, "log_sum_exp": SHARPNESS}


def _mean(values, _scores, _sharpness):
    return sum(values) / len(values)


def _attention(values, scores, _sharpness):
    weights = [math.exp(s) for s in scores]
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def _noisy_or(values, _scores, _sharpness):
    """All residues lack the concept with the geometric mean of their probabilities of lacking it."""
    absent = math.prod(1 - 1 / (1 + math.exp(-v)) for v in values) ** (1 / len(values))
    return math.log((1 - absent) / absent)


def _log_sum_exp(values, _scores, sharpness):
    return math.log(sum(math.exp(sharpness * v) for v in values) / len(values)) / sharpness


REFERENCES = {
    "mean": _mean,
    "residue": _mean,
    "attention": _attention,
    "noisy_or": _noisy_or,
    "log_sum_exp": _log_sum_exp,
}


@pytest.mark.parametrize("pooling", REFERENCES)
def test_pooling_equals_its_reference(pooling):
    pooled = pool_logits(LOGITS, SEGMENT, 3, pooling, WEIGHTS.get(pooling))
    for p in range(3):
        rows = torch.where(p == SEGMENT)[0].tolist()
        for c in range(2):
            values, scores = LOGITS[rows, c].tolist(), SCORES[rows, c].tolist()
            expected = REFERENCES[pooling](values, scores, float(SHARPNESS[c]))
            assert float(pooled[p, c]) == pytest.approx(expected, rel=1e-12), (p, c)


@pytest.mark.parametrize("pooling", REFERENCES)
def test_gradients_equal_finite_differences(pooling):
    inputs = [LOGITS.clone().requires_grad_()]
    if pooling in WEIGHTS:
        inputs.append(WEIGHTS[pooling].clone().requires_grad_())
    assert torch.autograd.gradcheck(
        lambda *given: pool_logits(given[0], SEGMENT, 3, pooling, *given[1:]), inputs
    )


@pytest.mark.parametrize("pooling", REFERENCES)
def test_a_protein_twice_over_pools_to_the_same(pooling):
    """A sample of residues and all of them are on one scale."""
    weights = WEIGHTS.get(pooling)
    doubled = torch.cat([weights, weights]) if pooling == "attention" else weights
    once = pool_logits(LOGITS, SEGMENT, 3, pooling, weights)
    twice = pool_logits(torch.cat([LOGITS, LOGITS]), torch.cat([SEGMENT, SEGMENT]), 3, pooling, doubled)
    torch.testing.assert_close(twice, once)


@pytest.mark.parametrize("pooling", REFERENCES)
def test_extreme_logits_stay_finite_and_right(pooling):
    """Every pooling of equal logits is that logit, in float32 too."""
    logits = torch.tensor([[-80.0, 200.0], [-80.0, 200.0]])
    weights = {"attention": torch.tensor([[500.0, -500.0], [-500.0, 500.0]]), "log_sum_exp": torch.ones(2)}
    pooled = pool_logits(logits, torch.zeros(2, dtype=torch.int64), 1, pooling, weights.get(pooling))
    torch.testing.assert_close(pooled, logits[:1], rtol=1e-5, atol=0)


def test_log_sum_exp_lies_between_mean_and_maximum():
    mean, highest = segment_mean(LOGITS, SEGMENT, 3), segment_max(LOGITS, SEGMENT, 3)
    for sharpness, expected in ((1e-7, mean), (1e4, highest)):
        pooled = pool_logits(LOGITS, SEGMENT, 3, "log_sum_exp", torch.full((2,), sharpness).double())
        torch.testing.assert_close(pooled, expected, rtol=1e-3, atol=1e-3)


def test_poolings_that_learn_need_their_weights():
    with pytest.raises(ValueError, match="pooling by attention needs weights"):
        pool_logits(LOGITS, SEGMENT, 3, "attention")
