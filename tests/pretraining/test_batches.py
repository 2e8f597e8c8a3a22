"""Batches: pure functions of seed and step, under the budget, every protein once per epoch."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pretraining.conftest import random_proteins

from protsae.pretraining.batches import ProteinBatches, crop


def batches(sequences, seed=0, budget=100, longest=40) -> ProteinBatches:
    return ProteinBatches(sequences, tokens_per_batch=budget, max_residues=longest, seed=seed)


def test_a_step_gives_the_same_batch_whatever_was_asked_before():
    sequences = random_proteins(30, 0)
    straight = batches(sequences)
    in_order = [straight.crops(step) for step in range(40)]
    for step in (39, 0, 17, 17, 3):
        assert batches(sequences).crops(step) == in_order[step]
        assert straight.crops(step) == in_order[step]
    assert batches(sequences, seed=1).crops(0) != in_order[0]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(42, 300), st.integers(0, 3))
def test_every_protein_comes_once_per_epoch_under_the_budget(n, budget, seed):
    sequences = random_proteins(n, seed)
    source = batches(sequences, seed, budget)
    for _ in range(2):  # epochs: a batch never reaches over the end of one
        seen: Counter[int] = Counter()
        step = 0
        while sum(seen.values()) < n:
            proteins, crops = source.crops(step)
            assert sum(len(c) + 2 for c in crops) <= budget
            assert [len(c) for c in crops] == sorted(min(len(sequences[p]), 40) for p in proteins)
            seen.update(proteins)
            step += 1
        assert set(seen.values()) == {1} and len(seen) == n


def test_epochs_differ_in_order():
    source = batches(random_proteins(30, 0, longest=10), budget=10_000)
    assert source.crops(0)[1] != source.crops(1)[1] or source.proteins(0) != source.proteins(1)
    assert sorted(source.proteins(0)) == sorted(source.proteins(1)) == list(range(30))


def test_crops_are_stretches_and_every_start_is_as_likely():
    sequence = "ACDEFGHIKLMNPQRSTVWY"
    rng = np.random.default_rng(0)
    starts = Counter(sequence.index(crop(sequence, 16, rng)[0]) for _ in range(2000))
    assert set(starts) == set(range(5)) and min(starts.values()) > 320
    assert crop(sequence, 16, rng) in sequence
    assert crop(sequence, 20, rng) == sequence


def test_two_visits_of_a_long_protein_see_different_stretches():
    source = batches(["ACDEFGHIKLMNPQRSTVWY" * 50])
    assert len({source.crops(step)[1][0] for step in range(5)}) > 1
