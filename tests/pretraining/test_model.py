"""The packed forward pass against fair-esm's own module, values and gradients, in float64."""

import esm.multihead_attention
import numpy as np
import pytest
import torch
from tests.pretraining.conftest import random_proteins
from torch.nn import functional

from protsae.plm.tokens import Tokenizer
from protsae.pretraining.config import MaskConfig, ShapeConfig
from protsae.pretraining.masking import masker_of
from protsae.pretraining.model import MaskedForward, attention_groups, build_module


def batch_of(module, sequences, seed=0, **masking):
    packed = Tokenizer(module.alphabet).pack(sorted(sequences, key=len))
    return masker_of(module).draw(packed, MaskConfig(**masking), np.random.default_rng(seed))


def fair_esm_logits(module, batch) -> torch.Tensor:
    """Run fair-esm's module on the batch, padded; logits of the masked tokens."""
    rows = torch.split(batch.tokens, batch.sizes)
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=module.padding_idx)
    logits = module(padded)["logits"]
    return torch.cat([row[:size] for row, size in zip(logits, batch.sizes, strict=True)])[batch.masked_at]


@pytest.fixture
def module(shape, monkeypatch):
    """A module in float64 with large random weights; fair-esm computes its softmax in float32 otherwise."""
    monkeypatch.setattr(
        esm.multihead_attention, "utils_softmax", lambda x, dim, onnx_trace: functional.softmax(x, dim)
    )
    module = build_module(shape, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return module.double()


def test_logits_and_gradients_equal_fair_esm(module):
    batch = batch_of(module, [*random_proteins(9, 0), "M" * 40, "K" * 40], mask_probability=0.3)
    ours = MaskedForward(module)(batch)
    theirs = fair_esm_logits(module, batch)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    gradients = [
        torch.autograd.grad(functional.cross_entropy(logits, batch.targets), list(module.parameters()))
        for logits in (ours, theirs)
    ]
    for name, our, their in zip(dict(module.named_parameters()), *gradients, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-9, atol=1e-12, msg=name)
    assert min(float(gradient.abs().max()) for gradient in gradients[0]) > 0


def test_a_protein_does_not_see_its_neighbours(module):
    sequences = random_proteins(6, 3)
    batch = batch_of(module, sequences)
    together = MaskedForward(module)(batch)
    first = 0
    for i, (tokens, size) in enumerate(zip(torch.split(batch.tokens, batch.sizes), batch.sizes, strict=True)):
        inside = batch.masked_at[batch.segment[batch.masked_at] == i]
        alone = module(tokens[None])["logits"][0, inside - sum(batch.sizes[:i])]
        torch.testing.assert_close(together[first : first + len(inside)], alone, rtol=1e-10, atol=1e-10)
        first += len(inside)
        assert size == len(tokens)


def test_groups_cover_all_tokens_with_little_padding():
    sizes = sorted(np.random.default_rng(0).integers(3, 300, size=60).tolist())
    groups = attention_groups(sizes, torch.device("cpu"))
    assert [g.first for g in groups] == list(np.cumsum([0, *(g.n_tokens for g in groups)]))[:-1]
    assert sum(g.n_sequences for g in groups) == 60 and len(groups) < 30
    rows = sum(g.n_sequences * g.longest for g in groups)
    assert sum(sizes) <= rows <= sum(sizes) / 0.9
    assert len(attention_groups([7] * 5, torch.device("cpu"))) == 1


def test_initial_weights_depend_on_the_seed_alone(shape):
    before = torch.random.get_rng_state()
    one, same, other = (build_module(shape, seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["embed_tokens.weight"], other["embed_tokens.weight"])
    assert one["layers.0.fc1.weight"].std() == pytest.approx(0.02, rel=0.05)
    assert one["layers.0.fc2.weight"].std() == pytest.approx(0.01, rel=0.05)  # .02 / sqrt(2 * 2 layers)
    assert bool((one["lm_head.layer_norm.weight"] == 1).all()) and bool((one["lm_head.bias"] == 0).all())


def test_head_and_embedding_are_one_matrix(shape):
    module = build_module(shape, 0)
    assert module.lm_head.weight is module.embed_tokens.weight
    assert module.contact_head is None


def test_a_fresh_model_guesses_evenly(shape):
    module = build_module(shape, 0)
    batch = batch_of(module, random_proteins(8, 1))
    loss = functional.cross_entropy(MaskedForward(module)(batch), batch.targets)
    assert float(loss.detach()) == pytest.approx(np.log(len(module.alphabet)), abs=0.05)


def test_a_width_that_heads_cannot_share_is_refused():
    with pytest.raises(ValueError, match="d_model 30 over n_heads 4"):
        ShapeConfig(d_model=30, n_heads=4)
