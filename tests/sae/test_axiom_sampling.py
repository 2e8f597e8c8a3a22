"""Mini-batches of axioms and negative pairs."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from protsae.sae.axiom_sampling import AxiomSampler, subsumed_keys
from protsae.sae.axioms import AxiomIndices

CHAIN = AxiomIndices(
    nf1=torch.tensor([[0, 1], [1, 2], [3, 4], [5, 2]]),
    nf4=torch.tensor([[c, 0, 6] for c in range(6)]),
    n_classes=7,
    n_relations=1,
    nf2=torch.tensor([[0, 3, 5]]),
)


def test_draws_are_rows_of_each_form_without_repeats():
    drawn = AxiomSampler(CHAIN, 3, 0).draw(7, 0)
    for form, size in (("nf1", 3), ("nf2", 1), ("nf3", 0), ("nf4", 3), ("disjoint", 0)):
        rows = list(map(tuple, getattr(drawn, form).tolist()))
        assert len(rows) == size, form
        assert set(rows) <= set(map(tuple, getattr(CHAIN, form).tolist())), form
        assert len(set(rows)) == len(rows), form
    assert (drawn.n_classes, len(drawn.negatives)) == (7, 0)


def test_a_draw_hangs_on_seed_and_step_alone():
    sampler = AxiomSampler(CHAIN, 2, 5)
    first, second = sampler.draw(7, 0), sampler.draw(7, 1)
    again = AxiomSampler(replace(CHAIN), 2, 5).draw(7, 0)
    for name in ("nf1", "nf4", "negatives"):
        assert torch.equal(getattr(first, name), getattr(again, name)), name
    assert not torch.equal(first.negatives, second.negatives)
    assert not torch.equal(first.negatives, sampler.draw(8, 0).negatives)


def test_every_axiom_gets_its_turn():
    sampler = AxiomSampler(CHAIN, 1, 0)
    seen = {tuple(sampler.draw(0, step).nf1[0].tolist()) for step in range(60)}
    assert seen == set(map(tuple, CHAIN.nf1.tolist()))


def test_no_negative_pair_is_subsumed():
    below = {(0, 1), (1, 2), (0, 2), (3, 4), (5, 2)} | {(c, c) for c in range(7)}
    sampler = AxiomSampler(CHAIN, 0, 8)
    drawn = [tuple(pair) for step in range(40) for pair in sampler.draw(0, step).negatives.tolist()]
    wanted = set(product((0, 1, 3, 5), (1, 2, 4))) - below
    assert set(drawn) == wanted
    assert sampler.draw(0, 0).nf1 is CHAIN.nf1


def test_subsumed_keys_close_the_axioms():
    pairs = {divmod(key, 7) for key in subsumed_keys(CHAIN).tolist()}
    assert pairs == {(0, 1), (1, 2), (0, 2), (3, 4), (5, 2)} | {(c, c) for c in range(7)}


@pytest.mark.parametrize("n_negatives", [1, 4])
def test_the_number_of_negatives_is_kept(n_negatives):
    assert len(AxiomSampler(CHAIN, 0, n_negatives).draw(3, 5).negatives) == n_negatives


def test_without_subclass_axioms_there_are_no_negatives():
    none = AxiomIndices(CHAIN.nf1[:0], CHAIN.nf4, 7, 1)
    assert not len(AxiomSampler(none, 2, 3).draw(0, 0).negatives)
