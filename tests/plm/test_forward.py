"""The packed forward pass against fair-esm's own."""

import random
from pathlib import Path

import pytest
import torch
from tests.plm.tiny_esm2 import (
    LETTERS,
    N_LAYERS,
    fair_esm_activations,
    random_sequences,
    tiny_esm2,
    tiny_model,
    worst_difference,
    write_safetensors,
)

from protsae.core.errors import InputError
from protsae.plm import load_plm
from protsae.plm.forward import Esm2Forward
from protsae.plm.hook_points import LAYER_KINDS

TOLERANCE = 3e-6
EVERY_POINT = [f"layers.{i}.{kind}" for i in range(N_LAYERS) for kind in LAYER_KINDS] + ["final_norm"]
EDGE_LENGTHS = [1, 2, 50, 1021, 1022, 1023, 1024, 1025]
DEMO_MODEL = Path(__file__).parents[2] / "data/01_raw/demo/esm2_mini.safetensors"


@pytest.fixture
def torch_threads():
    """Return `torch.set_num_threads`; the number is as before after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_every_hook_point_equals_hooks_on_fair_esm(tmp_path):
    sequences = random_sequences([7, 7, 7, 30, 1, 30, 64])
    ours = Esm2Forward(tiny_model(tmp_path), EVERY_POINT).run(sequences)
    theirs = fair_esm_activations(tiny_esm2(), sequences)
    assert set(ours) == set(EVERY_POINT)
    for name in EVERY_POINT:
        assert worst_difference(ours[name], theirs[name]) < TOLERANCE, name
    assert ours["layers.1.attn_out"].abs().max() > 0.5  # the comparison is not between zeros


def test_residual_streams_equal_repr_layers(tmp_path):
    (sequence,) = random_sequences([50])
    module = tiny_esm2()
    _, _, tokens = module.alphabet.get_batch_converter()([("", sequence)])
    theirs = module(tokens, repr_layers=list(range(N_LAYERS + 1)))["representations"]
    names = {0: "layers.0.resid_pre", N_LAYERS: "final_norm"}
    names |= {i: f"layers.{i - 1}.resid_post" for i in range(1, N_LAYERS)}
    ours = Esm2Forward(tiny_model(tmp_path), list(names.values())).run([sequence])
    for i, name in names.items():
        assert worst_difference(ours[name], theirs[i][0, 1:-1]) < TOLERANCE, name


@pytest.mark.parametrize("length", [*EDGE_LENGTHS, 1500])
def test_no_length_is_cut_and_every_point_has_a_row_per_residue(tmp_path, length):
    sequences = random_sequences([length])
    ours = Esm2Forward(tiny_model(tmp_path), EVERY_POINT).run(sequences)
    theirs = fair_esm_activations(tiny_esm2(), sequences)
    for name in EVERY_POINT:
        assert len(ours[name]) == length
        assert worst_difference(ours[name], theirs[name]) < TOLERANCE, name


@pytest.mark.parametrize("n_threads", [1, 3])
def test_mixed_batches_equal_fair_esm_on_single_proteins(tmp_path, n_threads, torch_threads):
    torch_threads(n_threads)
    sequences = random_sequences(EDGE_LENGTHS * 2)
    random.Random(0).shuffle(sequences)
    ours = Esm2Forward(tiny_model(tmp_path), EVERY_POINT).run(sequences)
    alone = [fair_esm_activations(tiny_esm2(), [sequence]) for sequence in sequences]
    for name in EVERY_POINT:
        assert worst_difference(ours[name], torch.cat([one[name] for one in alone])) < TOLERANCE, name
    assert torch.get_num_threads() == n_threads


def test_one_and_several_threads_give_the_same_bits(tmp_path, torch_threads):
    sequences = random_sequences([400] * 8)  # four parts
    forward = Esm2Forward(tiny_model(tmp_path), EVERY_POINT)
    torch_threads(1)
    one = forward.run(sequences)
    torch_threads(2)
    two = forward.run(sequences)
    assert all(torch.equal(one[name], two[name]) for name in EVERY_POINT)


def test_an_error_in_a_thread_is_raised(tmp_path, torch_threads, monkeypatch):
    torch_threads(2)
    forward = Esm2Forward(tiny_model(tmp_path), ["final_norm"])
    monkeypatch.setattr("protsae.plm.forward.gelu", lambda *_args: pytest.fail("in a thread"))
    with pytest.raises(pytest.fail.Exception, match="in a thread"):
        forward.run(random_sequences([700, 700]))
    assert torch.get_num_threads() == 2


def test_the_last_part_whose_sequences_are_longest_goes_first(tmp_path, torch_threads, monkeypatch):
    torch_threads(1)
    forward = Esm2Forward(tiny_model(tmp_path), ["layers.0.resid_pre"])
    seen, run = [], forward._run
    monkeypatch.setattr(
        forward,
        "_run",
        lambda state, tape, **how: seen.append(state.packed.sizes) or run(state, tape, **how),
    )
    forward.run(random_sequences([300, 500, 700, 1000]))
    assert seen == [[1002], [702], [302, 502]]


def test_company_in_the_batch_changes_nothing(tmp_path):
    sequences = random_sequences([40, 3, 3, 90])
    forward = Esm2Forward(tiny_model(tmp_path), ["layers.2.mlp_out"])
    alone = torch.cat([forward.run([sequence])["layers.2.mlp_out"] for sequence in sequences])
    assert worst_difference(forward.run(sequences)["layers.2.mlp_out"], alone) < TOLERANCE


def test_a_longer_sequence_later_extends_the_rotary_tables(tmp_path):
    short, long = random_sequences([4, 80])
    forward = Esm2Forward(tiny_model(tmp_path), ["final_norm"])
    forward.run([short])
    theirs = fair_esm_activations(tiny_esm2(), [long])["final_norm"]
    assert worst_difference(forward.run([long])["final_norm"], theirs) < TOLERANCE


def test_a_model_without_token_dropout_is_not_scaled(tmp_path):
    module = tiny_esm2()
    module.token_dropout = False
    model = load_plm(write_safetensors(tmp_path / "m.safetensors", module, token_dropout="false"))
    sequences = random_sequences([12])
    ours = Esm2Forward(model, ["layers.0.resid_pre"]).run(sequences)["layers.0.resid_pre"]
    theirs = fair_esm_activations(module, sequences)["layers.0.resid_pre"]
    scaled = fair_esm_activations(tiny_esm2(), sequences)["layers.0.resid_pre"]
    assert torch.equal(ours, theirs)
    assert not torch.allclose(ours, scaled)


@pytest.mark.parametrize(
    ("name", "poisoned"),
    [
        ("layers.0.resid_pre", "layers.0.self_attn.q_proj"),
        ("layers.1.attn_out", "layers.1.fc1"),
        ("layers.1.resid_mid", "layers.1.final_layer_norm"),
        ("layers.1.mlp_out", "layers.2.self_attn_layer_norm"),
        ("layers.1.resid_post", "layers.2.self_attn_layer_norm"),
        ("layers.2.resid_post", "emb_layer_norm_after"),
    ],
)
def test_nothing_beyond_the_hook_point_is_looked_at(tmp_path, monkeypatch, name, poisoned):
    model = tiny_model(tmp_path)
    forward = Esm2Forward(model, [name])
    beyond = model.module.get_submodule(poisoned)
    for operation in ("layer_norm", "linear"):
        plain = getattr(torch.nn.functional, operation)
        monkeypatch.setattr(torch.nn.functional, operation, refusing(beyond, plain))
    assert torch.isfinite(forward.run(random_sequences([5]))[name]).all()
    if poisoned != "layers.0.self_attn.q_proj":  # its weights are fused, so it is not called either way
        with pytest.raises(pytest.fail.Exception, match="was run"):
            Esm2Forward(model, ["final_norm"]).run(random_sequences([5]))


def refusing(module, operation):
    """Return `operation`, failing when it is given the weight of `module`."""

    def wrapped(*args):
        if any(one is module.weight for one in args):
            pytest.fail(f"{module} was run")
        return operation(*args)

    return wrapped


def test_bfloat16_is_near_and_float32_on_return(tmp_path):
    sequences = random_sequences([50, 300])
    ours = Esm2Forward(tiny_model(tmp_path), ["final_norm"], "bfloat16").run(sequences)["final_norm"]
    exact = Esm2Forward(tiny_model(tmp_path), ["final_norm"]).run(sequences)["final_norm"]
    assert ours.dtype == torch.float32
    assert 1e-4 < float((ours - exact).norm() / exact.norm()) < 0.05


@pytest.mark.parametrize("foreign", ["J", "*", "-", ".", "a", " ", "<", "é", "語"])
def test_a_foreign_letter_is_refused_with_its_place(tmp_path, foreign):
    forward = Esm2Forward(tiny_model(tmp_path), ["final_norm"])
    with pytest.raises(InputError, match=r"letter '.' at position 3 is no residue"):
        forward.run(["ACD", f"AC{foreign}D"])


def test_an_empty_sequence_is_refused(tmp_path):
    with pytest.raises(InputError, match="is empty"):
        Esm2Forward(tiny_model(tmp_path), ["final_norm"]).run(["ACD", ""])


def test_a_hook_point_that_the_model_lacks_is_refused(tmp_path):
    with pytest.raises(InputError, match="the model has 3 layers"):
        Esm2Forward(tiny_model(tmp_path), ["layers.3.resid_post"])


@pytest.mark.skipif(not DEMO_MODEL.is_file(), reason="no demo model")
def test_the_demo_model_equals_fair_esm_on_each_protein_alone():
    model = load_plm(DEMO_MODEL)
    names = [f"layers.{i}.{kind}" for i in range(model.n_layers) for kind in LAYER_KINDS] + ["final_norm"]
    sequences = [*random_sequences([80, 700, 1100]), LETTERS]
    ours = Esm2Forward(model, names).run(sequences)
    theirs = [fair_esm_activations(model.module, [sequence]) for sequence in sequences]
    for name in names:
        assert worst_difference(ours[name], torch.cat([one[name] for one in theirs])) < TOLERANCE, name
