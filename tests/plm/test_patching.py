"""Patches of hook points against hooks on fair-esm's modules that do the same."""

import pytest
import torch
from tests.plm.tiny_esm2 import D_MODEL, N_LAYERS, random_sequences, tiny_esm2, tiny_model, worst_difference

from protsae.core.errors import InputError
from protsae.plm.forward import LOGITS, Esm2Forward
from protsae.plm.hook_points import LAYER_KINDS
from protsae.plm.patching import Patch

TOLERANCE = 3e-6
EVERY_POINT = [f"layers.{i}.{kind}" for i in range(N_LAYERS) for kind in LAYER_KINDS] + ["final_norm"]
SEQUENCES = random_sequences([9, 40, 1, 17])
N_RESIDUES = sum(map(len, SEQUENCES))


def fair_esm_patched(point, function):
    """Return final norm and logits of fair-esm, hooked at `point`, on each protein alone.

    `function` gets the residues of one protein, [n_residues, d_model].
    """
    module = tiny_esm2()

    def changed(value):
        value = value.clone()
        value[1:-1, 0] = function(value[1:-1, 0])  # [n_tokens, 1, d_model]
        return value

    def after(_module, _args, output):
        return (changed(output[0]), *output[1:]) if isinstance(output, tuple) else changed(output)

    def before(_module, args, kwargs):
        if args:
            return (changed(args[0]), *args[1:]), kwargs
        return args, kwargs | {"x": changed(kwargs["x"])}

    if point == "final_norm":
        module.emb_layer_norm_after.register_forward_hook(after)
    else:
        _, layer, kind = point.split(".")
        layer = module.layers[int(layer)]
        if kind == "resid_pre":
            layer.register_forward_pre_hook(before, with_kwargs=True)
        elif kind == "resid_mid":
            patch_between(layer, changed)
        else:
            target = {"attn_out": layer.self_attn, "mlp_out": layer.fc2, "resid_post": layer}[kind]
            target.register_forward_hook(after)
    found = {"final_norm": [], LOGITS: []}
    for sequence in SEQUENCES:
        _, _, tokens = module.alphabet.get_batch_converter()([("", sequence)])
        with torch.no_grad():
            one = module(tokens, repr_layers=[N_LAYERS])
        found["final_norm"].append(one["representations"][N_LAYERS][0, 1:-1])
        found[LOGITS].append(one["logits"][0, 1:-1])
    return {name: torch.cat(rows) for name, rows in found.items()}


def patch_between(layer, changed):
    """Change the residual stream between the two blocks, which no module returns: by way of attention."""
    held = {}
    layer.register_forward_pre_hook(lambda _module, args: held.update(x=args[0]))

    def hook(_module, _args, output):
        middle = held["x"] + output[0]
        return (changed(middle) - held["x"], *output[1:])

    layer.self_attn.register_forward_hook(hook)


@pytest.mark.parametrize("point", EVERY_POINT)
def test_identity_patch_changes_nothing_and_zero_equals_a_hook(tmp_path, point):
    forward = Esm2Forward(tiny_model(tmp_path), EVERY_POINT)
    plain = forward.run(SEQUENCES, logits=True)
    same = forward.run(SEQUENCES, {point: lambda x: x}, logits=True)
    assert all(torch.equal(plain[name], same[name]) for name in [*EVERY_POINT, LOGITS])
    zero = forward.run(SEQUENCES, {point: torch.zeros_like}, logits=True)
    assert not zero[point].any()
    for name, theirs in fair_esm_patched(point, torch.zeros_like).items():
        assert worst_difference(zero[name], theirs) < TOLERANCE, name
    assert worst_difference(zero[LOGITS], plain[LOGITS]) > 0.01


def test_logits_equal_those_of_fair_esm(tmp_path):
    ours = Esm2Forward(tiny_model(tmp_path), []).run(SEQUENCES, logits=True)
    assert set(ours) == {LOGITS}
    theirs = fair_esm_patched("final_norm", lambda x: x)[LOGITS]
    assert worst_difference(ours[LOGITS], theirs) < TOLERANCE
    assert theirs.std() > 0.1


def test_patch_function_sees_chosen_residues_only_in_order(tmp_path):
    forward = Esm2Forward(tiny_model(tmp_path), ["layers.1.resid_post"])
    plain = forward.run(SEQUENCES)["layers.1.resid_post"]
    rows = torch.zeros(N_RESIDUES, dtype=torch.bool)
    rows[[3, 8, 9, N_RESIDUES - 1]] = True
    seen = []

    def double(x):
        seen.append(x.clone())
        return 2 * x

    found = forward.run(SEQUENCES, {"layers.1.resid_post": Patch(double, rows)})["layers.1.resid_post"]
    assert len(seen) == 1
    assert torch.equal(seen[0], plain[rows])
    assert torch.equal(found[rows], 2 * plain[rows])
    assert torch.equal(found[~rows], plain[~rows])


def test_a_batch_of_several_parts_is_patched_by_one_call(tmp_path):
    sequences = random_sequences([800, 800])
    forward = Esm2Forward(tiny_model(tmp_path), ["layers.0.attn_out"])
    deltas = torch.arange(1600.0)[:, None].expand(-1, D_MODEL)
    found = forward.run(sequences, {"layers.0.attn_out": lambda _x: deltas})["layers.0.attn_out"]
    assert torch.equal(found, deltas)


def test_special_tokens_are_patched_where_asked(tmp_path):
    forward = Esm2Forward(tiny_model(tmp_path), ["layers.0.resid_post"])
    plain = forward.run(["ACD"])["layers.0.resid_post"]
    rows = torch.tensor([True, False, False, False, False])
    patch = Patch(torch.zeros_like, rows, special_tokens=True)
    changed = forward.run(["ACD"], {"layers.0.resid_pre": patch})["layers.0.resid_post"]
    assert worst_difference(changed, plain) > 1e-3  # residues attend to the start token
    only_residues = forward.run(["ACD"], {"layers.0.resid_post": torch.zeros_like})["layers.0.resid_post"]
    assert not only_residues.any()


def test_what_does_not_fit_is_refused(tmp_path):
    forward = Esm2Forward(tiny_model(tmp_path), ["layers.1.resid_mid"])
    with pytest.raises(InputError, match=r"gave \[67, 1\] for \[67, 24\]"):
        forward.run(SEQUENCES, {"layers.0.mlp_out": lambda x: x[:, :1]})
    with pytest.raises(InputError, match=r"bool \[67\], one per residue"):
        forward.run(SEQUENCES, {"layers.0.mlp_out": Patch(torch.neg, torch.ones(66, dtype=torch.bool))})
    with pytest.raises(InputError, match=r"bool \[75\], one per token"):
        patch = Patch(torch.neg, torch.ones(67, dtype=torch.bool), special_tokens=True)
        forward.run(SEQUENCES, {"layers.0.mlp_out": patch})
    with pytest.raises(InputError, match=r"layers\.1\.mlp_out changes nothing that is captured"):
        forward.run(SEQUENCES, {"layers.1.mlp_out": torch.neg})
    with pytest.raises(InputError, match="the model has 3 layers"):
        forward.run(SEQUENCES, {"layers.3.mlp_out": torch.neg})
    forward.run(SEQUENCES, {"layers.1.mlp_out": torch.neg}, logits=True)
