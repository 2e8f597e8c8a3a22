"""Masking: rates, what is left alone, and what stands where."""

import numpy as np
import pytest
import torch
from esm import Alphabet
from tests.pretraining.conftest import random_proteins

from protsae.core.letters import AMINO_ACIDS
from protsae.plm.tokens import Tokenizer
from protsae.pretraining.config import MaskConfig
from protsae.pretraining.masking import Masker

ALPHABET = Alphabet.from_architecture("ESM-1b")
TOKENS = [ALPHABET.get_idx(letter) for letter in AMINO_ACIDS]
MASKER = Masker(TOKENS, ALPHABET.mask_idx)


def draw(sequences, seed=0, **config):
    packed = Tokenizer(ALPHABET).pack(sequences)
    return packed, MASKER.draw(packed, MaskConfig(**config), np.random.default_rng(seed))


def test_rates_are_those_asked_for():
    packed, batch = draw(random_proteins(400, 0))
    n = int(packed.is_residue.sum())
    assert len(batch.masked_at) / n == pytest.approx(0.15, abs=0.01)
    seen = batch.tokens[batch.masked_at]
    is_mask = seen == ALPHABET.mask_idx
    kept = seen == batch.targets
    assert float(is_mask.float().mean()) == pytest.approx(0.8, abs=0.02)
    # a random amino acid is the right one in one case of twenty
    assert float(kept.float().mean()) == pytest.approx(0.1 + 0.1 / 20, abs=0.02)
    swapped = seen[~is_mask & ~kept]
    counts = torch.bincount(swapped, minlength=33)[TOKENS]
    assert int(counts.sum()) == len(swapped) and float(counts.max() / counts.float().mean()) < 2


def test_targets_are_what_stood_there_and_all_else_is_untouched():
    packed, batch = draw(random_proteins(20, 1))
    assert torch.equal(packed.tokens[batch.masked_at], batch.targets)
    others = torch.ones(len(packed.tokens), dtype=torch.bool)
    others[batch.masked_at] = False
    assert torch.equal(packed.tokens[others], batch.tokens[others])
    assert batch.segment.bincount().tolist() == packed.sizes


def test_only_the_twenty_amino_acids_are_guessed():
    packed, batch = draw(["XBUZOAXBUZO"] * 5, mask_probability=0.99)
    assert set(batch.targets.tolist()) == {ALPHABET.get_idx("A")}
    assert bool(packed.is_residue[batch.masked_at].all())


def test_a_batch_always_has_something_to_guess_where_it_can():
    _, batch = draw(["XXAXX"], mask_probability=1e-9)
    assert batch.targets.tolist() == [ALPHABET.get_idx("A")]
    _, batch = draw(["XX"])
    assert len(batch.targets) == 0


def test_shares_above_one_are_refused():
    with pytest.raises(ValueError, match=r"mask_share 0\.8 and random_share 0\.3 exceed 1"):
        MaskConfig(mask_share=0.8, random_share=0.3)


def test_every_protein_draws_its_share_from_a_range():
    sequences = ["ACDEFGHIKL" * 40] * 3000
    packed, batch = draw(sequences, mask_probability=0.2, max_mask_probability=1.0)
    shares = torch.bincount(batch.segment[batch.masked_at], minlength=3000) / 400
    # An even draw from .2 to 1 has mean .6, quarters at .4, .6, .8; a share has a standard error below .025.
    assert float(shares.mean()) == pytest.approx(0.6, abs=0.015)
    quarters = np.quantile(shares.numpy(), [0.25, 0.5, 0.75])
    assert quarters == pytest.approx([0.4, 0.6, 0.8], abs=0.02)
    assert float(shares.min()) > 0.12 and float(shares.max()) > 0.96
    assert torch.equal(packed.tokens[batch.masked_at], batch.targets)


def test_a_range_that_falls_is_refused():
    with pytest.raises(ValueError, match=r"max_mask_probability 0\.1 is below mask_probability 0\.15"):
        MaskConfig(max_mask_probability=0.1)
