"""The residue sampler against a slow reading of the store."""

import numpy as np
import pytest
import torch
from tests.activations.conftest import HOOK_POINT

from protsae.activations import ActivationStore, ResidueSampler
from protsae.core.errors import InputError

PER_PROTEIN = 6


@pytest.fixture(scope="module")
def store(extraction):
    return ActivationStore(extraction.root)


@pytest.fixture(scope="module")
def protein_ids(store):
    return sorted(store.protein_ids)[1:]  # another order than the store's, and not all of it


def sampler(store, protein_ids, **changes):
    settings = {"residues_per_protein": PER_PROTEIN, "proteins_per_batch": 4, "seed": 3, **changes}
    return ResidueSampler(store, HOOK_POINT, protein_ids, **settings)


def epoch_of(store, protein_ids, epoch=0, **changes):
    return list(sampler(store, protein_ids, **changes).epoch(epoch))


def test_every_row_is_one_of_its_protein_s_and_none_is_drawn_twice(store, protein_ids):
    stored = dict(store.iter_proteins(HOOK_POINT))
    for batch in epoch_of(store, protein_ids):
        assert batch.x.dtype == torch.float32
        for position, index in enumerate(batch.proteins.tolist()):
            rows = batch.x[batch.segment == position].numpy()
            source = stored[protein_ids[index]]
            assert len(rows) == min(PER_PROTEIN, len(source))
            matches = [np.flatnonzero((source == row).all(axis=1)) for row in rows]
            assert all(len(match) == 1 for match in matches)
            assert len({int(match[0]) for match in matches}) == len(rows)


@pytest.mark.parametrize("changes", [{}, {"residues_per_protein": 1000}, {"proteins_per_batch": 100}])
def test_every_row_is_the_stored_row_of_its_residue(store, protein_ids, changes):
    stored = dict(store.iter_proteins(HOOK_POINT))
    for batch in epoch_of(store, protein_ids, epoch=2, **changes):
        assert batch.residue_index.dtype == torch.int64
        rows = zip(batch.x, batch.segment.tolist(), batch.residue_index.tolist(), strict=True)
        for row, position, residue in rows:
            source = stored[protein_ids[batch.proteins[position]]]
            np.testing.assert_array_equal(row.numpy(), source[residue].astype(np.float32))


def test_epoch_has_every_protein_once_and_the_last_partial_batch(store, protein_ids):
    batches = epoch_of(store, protein_ids)
    assert [len(batch.proteins) for batch in batches] == [4, 4, 2]
    assert sampler(store, protein_ids).n_batches == 3
    assert sorted(torch.cat([batch.proteins for batch in batches]).tolist()) == list(range(10))
    for batch in batches:
        assert batch.segment.tolist() == sorted(batch.segment.tolist())
        assert set(batch.segment.tolist()) == set(range(len(batch.proteins)))
        assert batch.proteins.dtype == batch.segment.dtype == torch.int64


def test_batches_are_a_pure_function_of_seed_and_epoch(store, protein_ids):
    one, other = sampler(store, protein_ids), sampler(store, protein_ids)
    for epoch in (1, 0):  # in another order than the other sampler's, and twice
        list(one.epoch(epoch))
    same(one.epoch(1), other.epoch(1))
    assert differ(one.epoch(0), one.epoch(1))
    assert differ(one.epoch(0), sampler(store, protein_ids, seed=4).epoch(0))


def same(one, other):
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.segment, b.segment)
        assert torch.equal(a.proteins, b.proteins)
        assert torch.equal(a.residue_index, b.residue_index)


def differ(one, other):
    return [b.proteins.tolist() for b in one] != [b.proteins.tolist() for b in other]


def test_batch_size_changes_the_cut_and_not_the_draw(store, protein_ids):
    whole = epoch_of(store, protein_ids, proteins_per_batch=100)
    parts = epoch_of(store, protein_ids, proteins_per_batch=3)
    assert len(whole) == 1
    assert torch.equal(whole[0].x, torch.cat([part.x for part in parts]))


def test_all_residues_are_drawn_where_the_protein_is_shorter(store, protein_ids):
    stored = dict(store.iter_proteins(HOOK_POINT))
    (batch,) = epoch_of(store, protein_ids, residues_per_protein=1000, proteins_per_batch=100)
    for position, index in enumerate(batch.proteins.tolist()):
        rows = batch.x[batch.segment == position].numpy()
        np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(stored[protein_ids[index]], axis=0))


def test_residues_are_drawn_evenly(store):
    longest = max(store.lengths(), key=store.lengths().get)  # 40 residues
    source = dict(store.iter_proteins(HOOK_POINT, [longest]))[longest]
    drawn = sampler(store, [longest], residues_per_protein=10)
    counts = np.zeros(len(source))
    n_epochs = 400
    for epoch in range(n_epochs):
        (batch,) = drawn.epoch(epoch)
        for row in batch.x.numpy():
            counts[(source == row).all(axis=1)] += 1
    # each residue is drawn with probability 1/4: mean 100, standard deviation 8.7
    assert counts.sum() == 10 * n_epochs
    assert np.abs(counts - n_epochs / 4).max() < 5 * np.sqrt(n_epochs * 0.25 * 0.75)


def test_too_much_memory_is_refused_with_both_numbers(store, protein_ids):
    with pytest.raises(InputError, match=r"needs 6\.91e-06 GB of memory, 1e-06 GB are allowed"):
        sampler(store, protein_ids, max_memory_gb=1e-6)


@pytest.mark.parametrize("changes", [{"residues_per_protein": 0}, {"proteins_per_batch": 0}])
def test_counts_below_one_are_refused(store, protein_ids, changes):
    with pytest.raises(InputError, match=f"{next(iter(changes))} is 0, it must be at least 1"):
        sampler(store, protein_ids, **changes)


def test_proteins_that_are_none_unknown_or_repeated_are_refused(store):
    with pytest.raises(InputError, match="number of proteins is 0"):
        sampler(store, [])
    with pytest.raises(InputError, match="'Q1'"):
        sampler(store, ["Q1"])
    with pytest.raises(InputError, match="named twice"):
        sampler(store, ["P01", "P01"])
