"""Arms: one scale, and controls."""

import numpy as np
import pytest
import torch
from tests.plm.tiny_esm2 import D_MODEL, random_sequences, tiny_model

from protsae.core.errors import InputError
from protsae.sae.config import TopKConfig
from protsae.sae.topk import TopKSae
from protsae.steering.arms import (
    difference_of_means,
    direction_arm,
    latent_arm,
    nearest_relatives,
    output_scores,
    random_mutations,
)
from protsae.steering.config import DecodingConfig
from protsae.steering.decoding import Decoder, Template
from protsae.steering.edits import DirectionEdit


def test_strength_1_moves_every_arm_by_the_same_distance():
    sae = TopKSae(TopKConfig(d_model=D_MODEL, d_sae=32, k=4), torch.Generator().manual_seed(0))
    sae.set_input_statistics(torch.zeros(D_MODEL), 50.0)
    x = torch.randn(5, D_MODEL, generator=torch.Generator().manual_seed(1))
    arms = (
        direction_arm("a", torch.arange(D_MODEL).float(), 7.0),
        latent_arm("b", sae, {3: 0.2}, 7.0),
        latent_arm("c", sae, {3: 1.0, 8: -0.5}, 7.0),
    )
    for arm in arms:
        moved = arm.edit(x, 1.0) - x
        assert moved.norm(dim=1).tolist() == pytest.approx([7.0] * 5, rel=1e-4)
    with pytest.raises(InputError, match="decode to no change"):
        latent_arm("d", sae, {3: 0.0}, 7.0)


def test_difference_of_means_by_hand():
    means = np.array([[1.0, 2], [3, 4], [5, 5]])
    found = difference_of_means(means, np.array([1, 1, 0], bool), np.array([0, 0, 1], bool))
    assert found.tolist() == [-3.0, -2.0]
    with pytest.raises(InputError, match="0 proteins with the concept"):
        difference_of_means(means, np.zeros(3, bool), np.ones(3, bool))


def test_random_mutations_change_so_many_masked_residues():
    template = Template("P", "ACDEFGHI", np.array([1, 1, 1, 1, 0, 0, 0, 0], bool))
    (found,) = random_mutations([template], [3], np.random.default_rng(0))
    changed = [i for i, (a, b) in enumerate(zip(template.sequence, found, strict=True)) if a != b]
    assert len(changed) == 3
    assert max(changed) < 4


def test_nearest_relative_shares_what_is_not_masked():
    template = Template("P", "ACDEFGHIKL", np.array([1] * 5 + [0] * 5, bool))
    assert nearest_relatives([template], ["ACDEFAAAAA", "WWWWWGHIKL"]) == ["WWWWWGHIKL"]
    whole = Template("P", "ACDEFGHIKL", np.ones(10, bool))
    assert nearest_relatives([whole], ["ACDEFAAAAA", "WWWWWGHIKL"]) == ["ACDEFAAAAA"]


def test_output_score_is_high_for_an_edit_towards_the_residues_that_proteins_have(tmp_path):
    model = tiny_model(tmp_path)
    decoder = Decoder(model, "final_norm", DecodingConfig())
    texts = [text.translate(str.maketrans("XBUZO", "AAAAA")) for text in random_sequences([20, 25])]
    masks = [np.arange(len(text)) % 3 == 0 for text in texts]
    carrying = [
        "".join("W" if m else c for c, m in zip(t, mask, strict=True))
        for t, mask in zip(texts, masks, strict=True)
    ]
    groups = [
        [Template(str(i), text, mask) for i, (text, mask) in enumerate(zip(of, masks, strict=True))]
        for of in (carrying, texts)
    ]
    head = model.module.lm_head
    x = torch.randn(200, D_MODEL, generator=torch.Generator().manual_seed(0), requires_grad=False)
    x.requires_grad_(True)
    logits = torch.log_softmax(head(x), dim=1)[:, model.module.alphabet.get_idx("W")].sum()
    (towards,) = torch.autograd.grad(logits, x)
    direction = towards.mean(dim=0)
    edits = [DirectionEdit(direction), DirectionEdit(-direction)]
    up, down = output_scores(decoder, edits, *groups, 0.5 / float(direction.norm()))
    assert up > 0 > down
