"""Masked tokens, and passes that go on from a hook point, against fair-esm's own module."""

import pytest
import torch
from tests.plm.test_patching import EVERY_POINT
from tests.plm.tiny_esm2 import D_MODEL, N_LAYERS, random_sequences, tiny_esm2, tiny_model, worst_difference

from protsae.core.errors import InputError
from protsae.plm.forward import LOGITS, Esm2Forward

TOLERANCE = 3e-6
SEQUENCES = random_sequences([9, 40, 1, 17])
N_RESIDUES = sum(map(len, SEQUENCES))
MASKED = torch.rand(N_RESIDUES, generator=torch.Generator().manual_seed(1)) < 0.3


def fair_esm_masked(masked):
    """Return fair-esm's logits of residues, each protein alone, with its mask tokens."""
    module, found = tiny_esm2(), []
    for sequence, chosen in zip(SEQUENCES, torch.split(masked, [*map(len, SEQUENCES)]), strict=True):
        _, _, tokens = module.alphabet.get_batch_converter()([("", sequence)])
        tokens[0, 1:-1][chosen] = module.mask_idx
        found.append(module(tokens)["logits"][0, 1:-1])
    return torch.cat(found)


def test_masked_residues_are_seen_and_scaled_as_fair_esm_does_it(tmp_path):
    forward = Esm2Forward(tiny_model(tmp_path), [])
    theirs = fair_esm_masked(MASKED)
    assert worst_difference(forward.run(SEQUENCES, logits=True, masked=MASKED)[LOGITS], theirs) < TOLERANCE
    plain = forward.run(SEQUENCES, logits=True)[LOGITS]
    assert worst_difference(plain, theirs) > 0.01
    none = torch.zeros(N_RESIDUES, dtype=torch.bool)
    assert torch.equal(forward.run(SEQUENCES, logits=True, masked=none)[LOGITS], plain)


def test_masks_of_several_parts_reach_their_own_sequences(tmp_path):
    sequences = random_sequences([700, 800])
    masked = torch.zeros(1500, dtype=torch.bool)
    masked[[3, 699, 700, 1499]] = True
    forward = Esm2Forward(tiny_model(tmp_path), [])
    together = forward.run(sequences, logits=True, masked=masked)[LOGITS]
    alone = [
        forward.run([sequence], logits=True, masked=rows)[LOGITS]
        for sequence, rows in zip(sequences, torch.split(masked, [700, 800]), strict=True)
    ]
    assert worst_difference(together, torch.cat(alone)) < TOLERANCE


@pytest.mark.parametrize("point", EVERY_POINT)
def test_going_on_from_a_point_gives_what_the_whole_pass_gives(tmp_path, point):
    forward = Esm2Forward(tiny_model(tmp_path), [point])
    whole = forward.run(SEQUENCES, logits=True, masked=MASKED)
    paused = forward.run_to(SEQUENCES, point, MASKED)
    assert torch.equal(paused.values, whole[point])
    assert torch.equal(forward.finish(paused), whole[LOGITS])
    assert torch.equal(forward.finish(paused, lambda x: x), whole[LOGITS])
    assert torch.equal(forward.finish(paused, lambda _x: paused.values), whole[LOGITS])
    zero = forward.run(SEQUENCES, {point: torch.zeros_like}, logits=True, masked=MASKED)[LOGITS]
    assert torch.equal(forward.finish(paused, torch.zeros_like), zero)
    assert worst_difference(zero, whole[LOGITS]) > 0.01
    changed = (lambda _x: torch.arange(D_MODEL) - paused.values[MASKED], MASKED)
    for at in (MASKED, ~MASKED):
        some = forward.finish(paused, *changed, at)
        assert worst_difference(some, forward.finish(paused, *changed)[at]) < TOLERANCE
    assert worst_difference(forward.finish(paused, *changed, MASKED), whole[LOGITS][MASKED]) > 0.01
    assert torch.equal(forward.finish(paused, lambda x: x, at=MASKED), forward.finish(paused, at=MASKED))
    assert torch.equal(forward.finish(paused), whole[LOGITS])  # nothing above has changed it


def test_long_sequences_and_those_with_nothing_wanted_end_alike(tmp_path):
    sequences = random_sequences([1300, 30, 5])
    forward = Esm2Forward(tiny_model(tmp_path), [])
    paused = forward.run_to(sequences, "layers.0.resid_post")
    whole = forward.finish(paused)
    for at in ([0], [3, 1299, 1331, 1334], list(range(0, 1300, 2))):
        wanted = torch.zeros(1335, dtype=torch.bool)
        wanted[at] = True
        assert worst_difference(forward.finish(paused, at=wanted), whole[wanted]) < TOLERANCE


def test_fused_attention_goes_on_alike(tmp_path):
    forward = Esm2Forward(tiny_model(tmp_path), [], attention="sdpa")
    paused = forward.run_to(SEQUENCES, "layers.1.mlp_out", MASKED)
    assert worst_difference(forward.finish(paused), fair_esm_masked(MASKED)) < TOLERANCE
    assert paused.values.shape == (N_RESIDUES, D_MODEL)
    paused = forward.run_to(SEQUENCES, "layers.0.resid_post", MASKED)
    assert worst_difference(forward.finish(paused, at=MASKED), fair_esm_masked(MASKED)[MASKED]) < TOLERANCE


def test_what_does_not_fit_is_refused(tmp_path):
    forward = Esm2Forward(tiny_model(tmp_path), [])
    with pytest.raises(InputError, match=r"bool \[67\], one per residue"):
        forward.run_to(SEQUENCES, "final_norm", MASKED.long())
    with pytest.raises(InputError, match=f"the model has {N_LAYERS} layers"):
        forward.run_to(SEQUENCES, f"layers.{N_LAYERS}.mlp_out")
