"""SpLiCE: the lasso against scikit-learn's, its optimality conditions, and what it refuses."""

import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso

from protsae.core.errors import InputError
from protsae.sae import splice
from protsae.sae.splice import non_negative_lasso


@pytest.fixture(params=["compiled", "plain"])
def solver(request, monkeypatch):
    """Both ways: a coordinate at a time on CPUs, and all rows together elsewhere."""
    if request.param == "plain":
        monkeypatch.setattr(splice, "is_compiled_for", lambda *_: False)
    return request.param


def _problem(n, m, d, seed):
    """Correlated unit directions, as those of concepts are, and rows made of a few of them with noise."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(1, d, generator=generator, dtype=torch.float64)
    directions = torch.randn(m, d, generator=generator, dtype=torch.float64) + 0.7 * common
    directions /= directions.norm(dim=1, keepdim=True)
    codes = torch.rand(n, m, generator=generator, dtype=torch.float64)
    codes = 4 * codes * (torch.rand(n, m, generator=generator) < 3 / m)
    return codes @ directions + 0.3 * torch.randn(n, d, generator=generator, dtype=torch.float64), directions


@pytest.mark.parametrize(("m", "d"), [(5, 12), (40, 12)])
@pytest.mark.parametrize("penalty", [0.001, 0.02, 0.2])
def test_codes_are_those_of_scikit_learn(m, d, penalty, solver):
    x, directions = _problem(25, m, d, seed=m)
    found = non_negative_lasso(x, directions, penalty, 1e-10, 50_000).numpy()
    lasso = Lasso(alpha=penalty, positive=True, fit_intercept=False, tol=1e-12, max_iter=100_000)
    expected = np.stack([lasso.fit(directions.T.numpy(), row).coef_ for row in x.numpy()])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert 0 < (expected > 0).mean() < 0.8


@pytest.mark.parametrize("compiled", [True, False])
@settings(max_examples=25, deadline=None)
@given(m=st.integers(1, 30), d=st.integers(2, 12), seed=st.integers(0, 10**6), penalty=st.floats(1e-3, 0.5))
def test_no_direction_can_be_added_or_changed_to_advantage(compiled, m, d, seed, penalty):
    with pytest.MonkeyPatch.context() as patch:
        if not compiled:
            patch.setattr(splice, "is_compiled_for", lambda *_: False)
        _check_optimal(m, d, seed, penalty)


def _check_optimal(m, d, seed, penalty):
    x, directions = _problem(6, m, d, seed)
    try:
        codes = non_negative_lasso(x, directions, penalty, 1e-8, 5_000)
    except InputError:  # directions drawn all but parallel: no codes rather than wrong ones
        reject()
    slope = (codes @ directions - x) @ directions.T / d + penalty
    bound = 1e-7 * (1 + (x @ directions.T).abs().max())
    assert codes.min() >= 0
    assert slope[codes > 0].abs().max() < bound if (codes > 0).any() else True
    assert slope.min() > -bound


def test_a_coder_weighs_codes_as_if_inputs_had_unit_norm(make_splice, x):
    sae = make_splice(penalty=0.2)
    scaled = (sae.scale_input(x) / 6**0.5).numpy()
    lasso = Lasso(alpha=0.2 / 6, positive=True, fit_intercept=False, tol=1e-12, max_iter=100_000)
    expected = np.stack([lasso.fit(sae.W_dec.T.numpy(), row).coef_ for row in scaled])
    np.testing.assert_allclose(sae.encode(x).numpy() / 6**0.5, expected, atol=1e-6)


def test_objective_is_what_the_codes_minimise(make_splice, batch):
    sae = make_splice()
    terms, codes = sae.step_output(batch).losses, sae.encode(batch.x)
    scaled = sae.scale_input(batch.x)
    fit = float((scaled - codes @ sae.W_dec).square().mean())
    assert float(terms["loss/total"]) == pytest.approx(fit / 2 + 0.05 * float(codes.sum()) / 20 / 6**0.5)
    assert not terms["loss/total"].requires_grad


def test_more_penalty_fewer_codes(make_splice, x):
    counts = [int((make_splice(penalty=penalty).encode(x) > 0).sum()) for penalty in (0.01, 0.1, 0.5)]
    assert counts[0] > counts[1] > counts[2] > 0


def test_unsolved_residues_are_counted_and_refused(solver):
    x, directions = _problem(25, 40, 12, seed=0)
    with pytest.raises(InputError, match=r"\d+ of 25 residues have no code after 10 steps: raise max_iter"):
        non_negative_lasso(x, directions, 1e-3, 1e-9, 10)


def test_codes_do_not_depend_on_the_other_residues(solver):
    x, directions = _problem(25, 40, 12, seed=0)
    together = non_negative_lasso(x, directions, 0.02, 1e-10, 50_000)
    alone = torch.cat([non_negative_lasso(row[None], directions, 0.02, 1e-10, 50_000) for row in x])
    torch.testing.assert_close(together, alone, atol=1e-8, rtol=0)


def test_what_is_no_number_comes_out_as_none(solver):
    x, directions = _problem(4, 10, 12, seed=0)
    x[2, 3] = torch.nan
    codes = non_negative_lasso(x, directions, 0.02, 1e-6, 50_000)
    assert codes.isnan().all(dim=1).tolist() == [False, False, True, False]
    assert codes[[0, 1, 3]].isfinite().all()


def test_nothing_is_used_that_explains_too_little(solver):
    x, directions = _problem(4, 10, 12, seed=0)
    assert not non_negative_lasso(x, directions, 1e3, 1e-6, 50).any()


def test_a_concept_without_direction_is_named(make_splice):
    sae, directions = make_splice(), torch.eye(16, 6, dtype=torch.float64)
    with pytest.raises(InputError, match="concept GO:0000006 has no direction"):
        sae.set_directions(directions)
    sae.set_directions(directions + 1)
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(16, dtype=torch.float64))


def test_latents_are_the_concepts_whatever_size_is_asked_for(make_splice):
    assert make_splice(d_sae=999).config.d_sae == 16
