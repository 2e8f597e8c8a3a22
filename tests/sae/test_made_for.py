"""A dictionary refuses what it was not made for: wrong layer, wrong model, wrong width, wrong scale."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.plm.tiny_esm2 import tiny_model
from tests.release.small_release import HOOK_POINT, activations, small_checkpoint

from protsae.core.errors import InputError
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sae.made_for import MadeFor, check_batch, check_model, made_for

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return model, what the dictionary was made for, the dictionary, and activations."""
    folder = tmp_path_factory.mktemp("made")
    model = tiny_model(folder)
    checkpoint = small_checkpoint(folder, model)
    return model, made_for(checkpoint), checkpoint.load(), activations(model)


def test_the_right_model_and_activations_leave_no_mark(made):
    model, expected, sae, x = made
    assert check_model(expected, model, hook_point=HOOK_POINT) == []
    assert check_batch(expected, sae, x) == check_batch(expected, sae, x.numpy()) == []


def test_a_wrong_layer_is_refused_with_both_names(made):
    model, expected, *_ = made
    message = r"hook point layers\.1\.resid_post and is applied to layers\.2\.mlp_out: its codes mean nothing"
    with pytest.raises(InputError, match=f"'small' was made for {message}.*accept_mismatch"):
        check_model(expected, model, hook_point="layers.2.mlp_out")
    marks = check_model(expected, model, hook_point="layers.2.mlp_out", accept_mismatch=True)
    assert marks == [
        "dictionary 'small' was made for hook point layers.1.resid_post and is applied to layers.2.mlp_out"
    ]


def test_a_wrong_model_is_refused_with_both_names_and_hashes(made, tmp_path):
    model, expected, *_ = made
    other = tiny_model(tmp_path, seed=1)
    message = f"'tiny_0' .sha256 {model.sha256[:12]}. and is applied to 'tiny_1' .sha256 {other.sha256[:12]}."
    with pytest.raises(InputError, match=f"{message}: .* Give the model tiny_0"):
        check_model(expected, other, hook_point=HOOK_POINT)
    both = check_model(expected, other, hook_point="layers.0.resid_pre", accept_mismatch=True)
    assert [("tiny_1" in mark, "layers.0" in mark) for mark in both] == [(True, False), (False, True)]


def test_a_wrong_width_is_refused_whatever_is_accepted(made):
    model, expected, sae, x = made
    message = r"activations of width 24 \(language model 'tiny_0'\), "
    with pytest.raises(InputError, match=f"{message}language model 'tiny_0' has 320"):
        check_model(expected, replace(model, d_model=320), hook_point=HOOK_POINT, accept_mismatch=True)
    with pytest.raises(InputError, match=f"{message}the activations has 23"):
        check_batch(expected, sae, x[:, :23], accept_mismatch=True)


@pytest.mark.parametrize("factor", [10, 0.1, 3])
def test_a_wrong_scale_is_refused_with_both_values(made, factor):
    _, expected, sae, x = made
    size = float(np.sqrt((x.numpy().astype(float) ** 2).sum(axis=1).mean()))
    message = f"root mean square of {factor * size:.4g}, .* was made for {size:.4g} .FVE .* instead of 0.900"
    with pytest.raises(InputError, match=message):
        check_batch(expected, sae, factor * x)
    (mark,) = check_batch(expected, sae, factor * x, accept_mismatch=True)
    assert f"{size:.4g}" in mark and "accept" not in mark


def test_activations_that_are_rebuilt_worse_than_by_their_mean_are_refused(made):
    """A dictionary that rebuilds the opposite leaves twice the deviation: FVE 1 - 4."""
    _, expected, sae, x = made
    opposite = deepcopy(sae)
    with torch.no_grad():
        opposite.W_dec.neg_()
    with pytest.raises(InputError, match=r"'small' explains a share of -3\.000 .* here, 0\.900 on record"):
        check_batch(expected, opposite, x)
    assert len(check_batch(expected, opposite, x, accept_mismatch=True)) == 1


def test_values_that_are_no_numbers_are_refused(made):
    _, expected, sae, x = made
    x = x.clone()
    x[3, 4] = float("nan")
    with pytest.raises(InputError, match="values that are not finite"):
        check_batch(expected, sae, x, accept_mismatch=True)


def test_what_is_not_on_record_is_marked_and_not_refused(made):
    model, _, sae, x = made
    silent = MadeFor(name="found", d_model=24)
    marks = check_model(silent, model, hook_point=HOOK_POINT)
    assert ["language model" in mark for mark in marks] == [True, False]
    assert "does not say which layer it was made for; applied to layers.1.resid_post" in marks[1]
    assert check_batch(silent, sae, 10 * x) == []


@pytest.mark.parametrize("path", sorted(DATA.glob("*.safetensors")), ids=lambda path: path.stem)
def test_golden_checkpoints_say_what_they_can(path):
    found = made_for(SaeCheckpoint(path))
    assert (found.hook_point, found.model_sha256) == ("layers.1.resid_post", None)
    assert found.activations is not None and found.activations.n_residues is None
