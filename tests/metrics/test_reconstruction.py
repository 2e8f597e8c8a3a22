"""Reconstruction sums against hand-computed values and one-shot NumPy."""

import numpy as np
import pytest
import torch

from protsae.metrics.reconstruction import ReconstructionAccumulator, participation

X = torch.tensor([[1.0, 0.0], [3.0, 0.0], [2.0, 3.0], [2.0, 1.0]])
X_HAT = torch.tensor([[1.0, 1.0], [3.0, 0.0], [2.0, 2.0], [2.0, 1.0]])
ACTS = torch.tensor([[1.0, 0.0, 0.5], [0.0, 0.0, 0.5], [2.0, 0.0, 0.0], [0.0, 0.0, 0.1]])


def test_hand_computed_case():
    """mu = (2, 1): total 1+1+1+1+4 = 8, residual 2, so fve is .75; one of three latents never fires."""
    sums = ReconstructionAccumulator()
    sums.update(X, X_HAT, ACTS)
    assert sums.compute() == pytest.approx({"fve": 0.75, "mse": 0.25, "l0": 1.25, "dead_share": 1 / 3})


def test_batches_do_not_matter_even_far_from_the_origin():
    generator = torch.Generator().manual_seed(0)
    x = 1000 + torch.randn(1000, 8, generator=generator)
    x_hat = x + 0.1 * torch.randn(1000, 8, generator=generator)
    acts = torch.relu(torch.randn(1000, 5, generator=generator))
    mean = x.double().mean(dim=0).numpy()
    sums = ReconstructionAccumulator()
    for part in torch.arange(1000).split([1, 400, 0, 599]):
        sums.update(x[part], x_hat[part], acts[part])
    exact, approx = x.double().numpy(), x_hat.double().numpy()
    expected = 1 - ((exact - approx) ** 2).sum() / ((exact - mean) ** 2).sum()
    assert sums.compute()["fve"] == pytest.approx(expected, abs=1e-12)


def test_bad_input_is_refused():
    sums = ReconstructionAccumulator()
    with pytest.raises(ValueError, match="no residues"):
        sums.compute()
    with pytest.raises(ValueError, match="shapes do not fit"):
        sums.update(X, X_HAT[:3], ACTS)
    with pytest.raises(ValueError, match="not finite"):
        sums.update(X, X_HAT * float("nan"), ACTS)
    sums.update(torch.ones(2, 2), torch.ones(2, 2), torch.zeros(2, 3))
    assert np.isnan(sums.compute()["fve"])


def test_participation_is_the_share_of_decoded_energy():
    acts = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]])
    decoder = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    pieces = [[np.sum((z * row) ** 2) for z, row in zip(rows, decoder, strict=True)] for rows in acts]
    expected = sum(row[0] for row in pieces) / sum(map(sum, pieces))
    found = participation((acts**2).sum(axis=0), np.linalg.norm(decoder, axis=1), n_defined=1)
    assert found == pytest.approx(expected)
    assert expected == pytest.approx(4 / 18)
    assert np.isnan(participation(np.zeros(2), np.ones(2), 1))
